/** A value that asks for nothing: what Kubernetes and Calico write where a field was left out. */
export function isUnset(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
