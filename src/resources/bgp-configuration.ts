/**
 * BGPConfiguration, of which three lists matter here: where services have
 * their cluster, external and load balancer addresses. A packet to such an
 * address that no service has translated would go round in circles
 * (SEMANTICS 3.4, F5). Routing itself is nothing of ours.
 */
import { z } from "zod";
import type { Cidr } from "../address/address.ts";
import { parseCidr } from "../address/address.ts";
import { listOf } from "./field-list.ts";
import type { ServiceNets } from "./inventory.ts";
import { defineKind } from "./resource-kind.ts";
import { SUBDOMAIN_NAME } from "./resource-name.ts";
import { describe } from "./schema-issue.ts";

const blocks = listOf(z.looseObject({ cidr: z.string() }));
const FIELDS = ["serviceClusterIPs", "serviceExternalIPs", "serviceLoadBalancerIPs"] as const;

/** The whole cluster's; Calico reads services' addresses from no other. */
const GLOBAL = "default";

export const bgpConfiguration = defineKind({
  kind: "BGPConfiguration",
  nameRule: SUBDOMAIN_NAME,
  spec: z
    .looseObject({ serviceClusterIPs: blocks, serviceExternalIPs: blocks, serviceLoadBalancerIPs: blocks })
    .nullish(),
  convert(meta, spec, context): ServiceNets {
    const nets: Cidr[] = [];
    for (const field of FIELDS) {
      for (const [index, { cidr }] of (spec?.[field] ?? []).entries()) {
        const parsed = parseCidr(cidr);
        const hint = "expected address/length, such as 10.96.0.0/12";
        if (parsed.ok && parsed.cidr.prefix > 0) nets.push(parsed.cidr);
        else if (parsed.ok) {
          context.error("RAMPART_E_VALUE", ["spec", field, index, "cidr"], "not every address is a service's", hint);
        } else {
          context.error("RAMPART_E_CIDR", ["spec", field, index, "cidr"], `${describe(cidr)} is not an IP prefix`, hint);
        }
      }
    }
    if (meta.name !== GLOBAL && nets.length > 0) {
      const message = `only the BGPConfiguration ${GLOBAL} says where services have their addresses`;
      context.warn("RAMPART_W_BGP_NAME", ["metadata", "name"], message);
      return { ...meta, kind: "BGPConfiguration", nets: [] };
    }
    return { ...meta, kind: "BGPConfiguration", nets };
  },
});
