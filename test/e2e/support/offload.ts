/** Whether this run of the scenarios is the one with `datapath.offload: none` (vitest.config.ts). */
export const noOffload = process.env["RAMPART_SANDBOX_OFFLOAD"] === "none";
