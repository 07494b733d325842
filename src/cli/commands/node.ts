// `doorbuster node list|drain`: the members of a cluster, for its operator.

import type { Command } from "commander";

import { type NodeAnswer, nodesAnswer, readAnswer } from "../answers.ts";
import { type AdminClient, path } from "../client.ts";
import type { CliContext } from "../context.ts";
import { CommandFailure, EXIT } from "../exit-codes.ts";
import { table } from "../output.ts";
import { Session } from "../session.ts";

const LOOK_EVERY_MS = 250;
/** A drain moves partitions in tens of milliseconds each. */
const WAIT_SECONDS = 60;

type DrainOptions = { readonly wait?: true; readonly timeout: string };

export function addNode(program: Command, context: CliContext): void {
  const node = program.command("node").description("the members of the cluster");
  node
    .command("list")
    .description("every node with its state and how many partitions it serves")
    .action(async (_options: unknown, command: Command) => {
      const session = new Session(context, command);
      const items = await nodesOf(await session.client());
      session.answer({ items }, () => textOf(items));
    });
  node
    .command("drain <node>")
    .description("move a node's partitions to the others; then it leaves the cluster")
    .option("--wait", "until it has left")
    .option("--timeout <seconds>", "how long to wait", String(WAIT_SECONDS))
    .action(async (nodeId: string, options: DrainOptions, command: Command) => {
      await drain(new Session(context, command), nodeId, options);
    });
}

async function drain(session: Session, nodeId: string, options: DrainOptions): Promise<void> {
  const waitMs = secondsOf(options.timeout) * 1_000;
  const client = await session.client();
  await client.call({ method: "POST", path: path`/v1/admin/nodes/${nodeId}/drain` });
  if (options.wait !== true) {
    session.answer({ nodeId, state: "draining" }, () => `${nodeId} is draining`);
    return;
  }
  const startedMs = performance.now();
  for (;;) {
    const node = (await nodesOf(client)).find((row) => row.nodeId === nodeId);
    if (node === undefined) break;
    session.context.interrupted.throwIfAborted();
    if (performance.now() - startedMs > waitMs) throw notDrained(nodeId, node.partitions);
    await Bun.sleep(LOOK_EVERY_MS);
  }
  session.answer({ nodeId, state: "left" }, () => `${nodeId} has left; it may be stopped`);
}

async function nodesOf(client: AdminClient): Promise<readonly NodeAnswer[]> {
  const { body } = await client.call({ method: "GET", path: "/v1/admin/nodes" });
  return readAnswer(nodesAnswer, body).items;
}

function textOf(nodes: readonly NodeAnswer[]): string {
  const rows = nodes.map(({ nodeId, state, partitions, address }) => {
    return [nodeId, state, String(partitions), address ?? ""];
  });
  return table(["NODE", "STATE", "PARTITIONS", "ADDRESS"], rows);
}

function secondsOf(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  const message = "--timeout must be a whole number of seconds";
  throw new CommandFailure({ exitCode: EXIT.usage, code: "usage", message });
}

function notDrained(nodeId: string, partitions: number): CommandFailure {
  return new CommandFailure({
    exitCode: EXIT.failed,
    code: "not_drained",
    message: `${nodeId} still serves ${partitions} partitions`,
    lines: ["The drain goes on; `doorbuster node list` shows how far it is."],
  });
}
