import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 10_000, interval: 20 } },
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: ["src/server/rpc/generated/**"],
      reporter: ["text-summary", "text"],
      thresholds: {
        "src/backends/smmuv3/**": { lines: 90 },
        "src/server/core/**": { lines: 90 },
      },
    },
  },
});
