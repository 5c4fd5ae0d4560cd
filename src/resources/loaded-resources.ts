/**
 * The resources of one load by kind, each name once (SEMANTICS 1.1). Two of one
 * kind, namespace and name are an error: which of them counted would depend on
 * the order of files.
 */
import type { SourceLocation } from "../errors/rampart-error.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { LoadedResource } from "./inventory.ts";

type Kind = LoadedResource["kind"];
type OfKind<K extends Kind> = Extract<LoadedResource, { readonly kind: K }>;

export class LoadedResources {
  private readonly byKind = new Map<Kind, LoadedResource[]>();

  /** Errors: RAMPART_E_DUPLICATE, at the later of two. */
  constructor(resources: readonly LoadedResource[], diagnostics: Diagnostics) {
    const first = new Map<string, LoadedResource>();
    for (const resource of resources) {
      const key = identity(resource);
      const other = first.get(key);
      if (other !== undefined) {
        const message = `${key} is already defined at ${formatPlace(other.location)}`;
        diagnostics.error("RAMPART_E_DUPLICATE", message, resource.location, "rename or remove one of the two");
        continue;
      }
      first.set(key, resource);
      const list = this.byKind.get(resource.kind);
      if (list === undefined) this.byKind.set(resource.kind, [resource]);
      else list.push(resource);
    }
  }

  /** In the order of the documents. */
  of<K extends Kind>(kind: K): readonly OfKind<K>[] {
    return (this.byKind.get(kind) ?? []) as OfKind<K>[];
  }

  *[Symbol.iterator](): Iterator<LoadedResource> {
    for (const list of this.byKind.values()) yield* list;
  }
}

/** undefined for what belongs to no namespace. */
export function namespaceOf(resource: LoadedResource): string | undefined {
  return "namespace" in resource ? resource.namespace : undefined;
}

/** A staged policy and the enforced one it is to replace share their name. */
function identity(resource: LoadedResource): string {
  const staged = "staged" in resource && resource.staged ? "Staged" : "";
  const namespace = namespaceOf(resource);
  return `${staged}${resource.kind} ${namespace === undefined ? "" : `${namespace}/`}${resource.name}`;
}

function formatPlace(location: SourceLocation): string {
  return `${location.file}:${location.line}:${location.column}`;
}
