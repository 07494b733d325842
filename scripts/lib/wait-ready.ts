// `bun scripts/lib/wait-ready.ts URL PID` ends with 0 once /readyz says 200, and with 1 when the
// process has ended or the time is up.

const DEADLINE_MS = 30_000;
const PAUSE_MS = 20;

const [, , url, pidText] = Bun.argv;
if (url === undefined || pidText === undefined)
  throw new Error("usage: bun …/wait-ready.ts URL PID");
const pid = Number(pidText);
const deadlineMs = performance.now() + DEADLINE_MS;

function isAlive(): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function isReady(): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1000) })).ok;
  } catch {
    return false; // not listening yet
  }
}

while (isAlive() && performance.now() < deadlineMs) {
  if (await isReady()) process.exit(0);
  await Bun.sleep(PAUSE_MS);
}
process.exit(1);
