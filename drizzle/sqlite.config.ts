// The migrations of the embedded databases: `bun run migrations`.

import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "sqlite",
  schema: "./src/store/sqlite/schema/*.ts",
  out: "./drizzle/sqlite",
});
