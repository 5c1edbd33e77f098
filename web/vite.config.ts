import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vitest/config";

const api = "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [vue()],
  server: { proxy: { "/api": api, "/ws": { target: api, ws: true } } },
  test: { include: ["tests/**/*.test.ts"], testTimeout: 60_000 }, // a busy machine is no failure
});
