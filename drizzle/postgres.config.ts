// The migrations of every Postgres database, control and shards alike: `bun run migrations`.

import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "postgresql",
  schema: "./src/store/postgres/schema/*.ts",
  out: "./drizzle/postgres",
});
