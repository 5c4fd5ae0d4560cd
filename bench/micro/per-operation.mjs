/** Prints the median nanoseconds of one operation for tasks that each do `batch` of them. */
export function printPerOperation(bench, batch) {
  for (const task of bench.tasks) {
    if (task.result.error !== undefined) throw task.result.error;
    const nanoseconds = (task.result.latency.p50 * 1e6) / batch;
    console.log(`${task.name.padEnd(44)} ${nanoseconds.toFixed(1).padStart(8)} ns/op`);
  }
}
