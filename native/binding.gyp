{
  "variables": {
    # The packet filter is its own addon, built only where libpcap's headers are: the firewall never needs libpcap.
    "have_pcap%": "<!(echo '#include <pcap.h>' | ${CC:-cc} -E -x c - >/dev/null 2>&1 && echo 1 || echo 0)"
  },
  "target_defaults": {
    "cflags_c": ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes", "-fvisibility=hidden"],
    "defines": ["NAPI_VERSION=8", "_GNU_SOURCE"]
  },
  "targets": [
    {
      "target_name": "rampart",
      "sources": [
        "src/addon.c",
        "src/conntrack.c",
        "src/conntrack_message.c",
        "src/datagram.c",
        "src/event_source.c",
        "src/interface_list.c",
        "src/interface_message.c",
        "src/interface_watch.c",
        "src/javascript.c",
        "src/marked_datagram.c",
        "src/memory.c",
        "src/netlink.c",
        "src/program.c",
        "src/queue.c",
        "src/queue_batch.c",
        "src/queue_config.c",
        "src/queue_message.c",
        "src/ruleset_message.c",
        "src/ruleset_watch.c",
        "src/table_digest.c",
        "src/wake.c"
      ]
    }
  ],
  "conditions": [
    [
      "have_pcap==1",
      {
        "targets": [
          {
            "target_name": "rampart_bpf",
            "sources": ["src/bpf.c", "src/javascript.c"],
            "libraries": ["-lpcap"]
          }
        ]
      }
    ]
  ]
}
