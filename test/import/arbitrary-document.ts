/** Well-formed resources of any kind, generated from the kind's own schema. */
import fc from "fast-check";
import type { SchemaNode } from "../../src/import/schema-node.ts";
import { lookUpSchema } from "../../src/import/schema-tree.ts";
import type { YamlObject, YamlValue } from "../../src/resources/yaml-value.ts";

const KINDS: readonly [apiVersion: string, kind: string][] = [
  ["networking.k8s.io/v1", "NetworkPolicy"],
  ["projectcalico.org/v3", "GlobalNetworkPolicy"],
  ["crd.projectcalico.org/v1", "NetworkPolicy"],
  ["projectcalico.org/v3", "HostEndpoint"],
  ["projectcalico.org/v3", "StagedKubernetesNetworkPolicy"],
  ["cilium.io/v2", "CiliumNetworkPolicy"],
  ["v1", "Pod"],
  ["v1", "Service"],
];

const MAX_FIELDS = 4;

const word = fc.oneof(
  fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/),
  fc.constantFrom("10.0.0.0/8", "2001:db8::/32", "tcp:22", "true", "80", "*", "on"),
  fc.integer({ min: 0, max: 65535 }),
  fc.boolean(),
);
const selector = fc.constantFrom("all()", "role == 'web'", 'has(a) && b in {"x", \'y\'}', "!has(k8s/app)", "global()");
const text = fc.oneof(fc.constantFrom("two words", "# no comment", "key: value", "- item", "{}", " led"), fc.string());
// Among them names of fields, which is what makes lost indentation ambiguous.
const labelKey = fc.constantFrom("app", "kubernetes.io/role", "name", "namespace", "description", "spec", "port");

function valueOf(node: SchemaNode): fc.Arbitrary<YamlValue> {
  switch (node.type) {
    case "word":
      return word;
    case "selector":
      return selector;
    case "text":
      return text;
    case "labels":
      return fc.dictionary(labelKey, valueOf(node.value).map(String), { maxKeys: 3, noNullPrototype: true });
    case "list":
      return fc.array(valueOf(node.item), { maxLength: 2 });
    case "map": {
      const all = Object.entries(node.fields);
      // Nobody promises an order of fields.
      return fc.shuffledSubarray(all, { maxLength: Math.min(all.length, MAX_FIELDS) }).chain((fields) => {
        const values = Object.fromEntries(fields.map(([key, field]) => [key, valueOf(field)]));
        return fc.record(values, { noNullPrototype: true });
      });
    }
  }
}

export const arbitraryDocument: fc.Arbitrary<YamlObject> = fc.constantFrom(...KINDS).chain(([apiVersion, kind]) => {
  const schema = lookUpSchema(apiVersion, kind);
  if (schema === undefined) throw new Error(`no schema for ${kind}`);
  const { metadata, spec } = schema.root.fields as { metadata: SchemaNode; spec: SchemaNode };
  return fc
    .tuple(valueOf(metadata), valueOf(spec), fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/))
    .map(([some, inside, name]) => ({
      apiVersion,
      kind,
      metadata: { ...(some as YamlObject), name },
      spec: inside,
    }));
});
