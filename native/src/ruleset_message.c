#include "ruleset_message.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink.h"

static void add_author(struct ruleset_changes *changes, const struct ruleset_author *author) {
  for (size_t i = 0; i < changes->count; i++)
    if (changes->authors[i].port == author->port) return;
  if (changes->count < RULESET_AUTHORS_MAX) changes->authors[changes->count++] = *author;
  else memset(&changes->authors[RULESET_AUTHORS_MAX - 1], 0, sizeof *author);
}

void ruleset_add_unknown(struct ruleset_changes *changes) {
  struct ruleset_author unknown = {0};
  changes->touched = false;
  add_author(changes, &unknown);
}

/* In every message about an object of a table, attribute 1 is the table's name (NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, ...). */
static bool is_of_iptables(const struct nlmsghdr *message) {
  static const char *const tables[] = {"raw", "mangle", "nat", "filter", "security"};
  const struct nfgenmsg *header = NLMSG_DATA(message);
  if (header->nfgen_family != AF_INET && header->nfgen_family != AF_INET6) return false;
  struct attribute_walk walk = attributes_of(message, sizeof *header);
  for (struct attribute attribute; attribute_next(&walk, &attribute);) {
    if (attribute.type != NFTA_TABLE_NAME) continue;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
      if (attribute.length == strlen(tables[i]) + 1 && memcmp(attribute.data, tables[i], attribute.length) == 0)
        return true;
  }
  return false;
}

static void end_transaction(struct ruleset_changes *changes, const struct nlmsghdr *message) {
  if (!changes->touched) return;
  changes->touched = false;
  struct ruleset_author author = {.port = message->nlmsg_pid};
  struct attribute_walk walk = attributes_of(message, sizeof(struct nfgenmsg));
  for (struct attribute attribute; attribute_next(&walk, &attribute);) {
    if (attribute.type == NFTA_GEN_PROC_PID) author.pid = attribute_be32(&attribute);
    if (attribute.type == NFTA_GEN_PROC_NAME)
      memcpy(author.program, attribute.data, strnlen((const char *)attribute.data,
             attribute.length < RULESET_PROGRAM_LENGTH ? attribute.length : RULESET_PROGRAM_LENGTH));
  }
  add_author(changes, &author);
}

void ruleset_read(struct ruleset_changes *changes, const uint8_t *datagram, size_t length) {
  struct message_walk walk = {.at = datagram, .left = length};
  for (const struct nlmsghdr *message; (message = message_next(&walk)) != NULL;) {
    if (NFNL_SUBSYS_ID(message->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
        message->nlmsg_len < NLMSG_LENGTH(sizeof(struct nfgenmsg)))
      continue;
    if (NFNL_MSG_TYPE(message->nlmsg_type) == NFT_MSG_NEWGEN) end_transaction(changes, message);
    else if (!changes->touched) changes->touched = is_of_iptables(message);
  }
}
