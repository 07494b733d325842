// Real servers for tests, each on a free loopback port with data of its own. Whoever starts one
// stops it (afterAll); what is left is removed at the end of the run.

export { startEngine, startSimulator, type TestProgram } from "./engine.ts";
export { startNats, type TestNats } from "./nats.ts";
export { startPostgres, type TestPostgres } from "./postgres.ts";
export { freePort } from "./ports.ts";
export { StartFailure } from "./process.ts";
export { startRedis, type TestRedis } from "./redis.ts";
