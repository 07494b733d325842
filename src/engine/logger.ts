import pino from "pino";

import type { LogLevel } from "../config.ts";
import type { Logger } from "../core/ports/logger.ts";

/**
 * JSON lines on standard output, levels as words. What could be a secret is cut even if a caller
 * passes it by mistake.
 */
export function createLogger(options: {
  level: LogLevel;
  nodeId: string;
  version: string;
}): Logger {
  return pino({
    level: options.level,
    base: { service: "doorbuster", node: options.nodeId, version: options.version },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: ["token", "password", "secret", "authorization", "apiKey", "email"],
      censor: "[redacted]",
    },
  });
}
