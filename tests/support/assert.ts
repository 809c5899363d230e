// The assertions of @std/assert, with types.

// @ts-types="./std_assert.d.ts"
export * from "@std/assert";
