/**
 * Messages between nodes: at most once, in any order, maybe twice. Never the proof of anything.
 *
 * Subjects are built here and nowhere else (`cluster/subjects.ts`); they carry node ids only.
 */
export interface Bus {
  /** False while cut off: what is sent then is lost, and the sender must say so to whoever waits. */
  readonly isConnected: boolean;
  /** Monotonic time of the last (re)connect; Infinity while cut off. */
  readonly connectedAtMs: number;
  /** To one node. `onNoResponder` is called when nobody listens there: the node is gone. */
  send(nodeId: string, payload: string, onNoResponder?: () => void): void;
  /** To every node of the cluster, this one too. */
  broadcast(topic: BroadcastTopic, payload: string): void;
  onMessage(handler: (payload: string) => void): void;
  onBroadcast(topic: BroadcastTopic, handler: (payload: string) => void): void;
  /** Called at each reconnect and each loss. */
  onConnection(handler: (isConnected: boolean) => void): void;
  close(): Promise<void>;
}

/** `heartbeat`: I live, under this view, serving these claims. `levels`: stock levels. */
export type BroadcastTopic = "heartbeat" | "levels";
