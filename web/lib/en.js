// Every sentence and label the page shows, in English, by screen: a translation is one more file of
// this form. Text with numbers or names in it is a function that returns plain text; what is shown
// of hosts, tags and drivers still goes through the components of names.js. Pure.

export const en = {
  // views/today.js, views/map.js, views/hosts.js and what only they use
  today: {},
  map: {},
  hosts: {},

  // views/host.js and its parts
  host: {
    twin: {
      table: "As a table", csvOf: (/** @type {string} */ what) => `Save as CSV: ${what}`,
      first: (/** @type {number} */ n, /** @type {number} */ all) => `The first ${n} of ${all.toLocaleString("en-US")}; the CSV has them all.`,
    },
    title: "Host", seen: "Seen", missing: "No such host", allHosts: "All hosts",
    facts: { system: "System", role: "Role", model: "Model", memory: "Memory", up: "Up for", since: "since", agent: "Agent" },
    agent: { waiting: (/** @type {number} */ n) => (n === 1 ? "snapshot not sent yet" : "snapshots not sent yet"), lost: "lost" },
    awaiting: {
      title: "Enrolled, waiting for its first snapshot", agent: "Its agent", version: "version", enrolled: "enrolled",
      then: "The first snapshot comes some minutes after the system has started; if none comes, look into the event log of the host.",
    },
    findings: "Findings",
    time: {
      title: "Time", moment: "Moment", momentAt: "Date and time", against: "Second moment", againstAt: "Date and time of the second moment",
      back: "An hour back ([)", on: "An hour on (])", former: "The entry before (,)", next: "The next entry (.)", now: "Now", nowTitle: "Back to now (n)", newest: "newest",
      second: "Compare with a second moment", noSecond: "No second moment",
      bar: "History of this host: a click goes to a moment, Shift and a click sets the second one",
      boots: "Boots", findings: "Findings", changes: "Changes", list: "As a list", go: "Go there", when: "When", until: "Until", what: "What", name: "Name", from: "From", to: "To",
      none: "Nothing happened that is known", cut: (/** @type {number} */ n) => `Only the newest ${n.toLocaleString("en-US")} entries are shown.`,
      partial: "What happened to this host could not be read; the rest of the page is complete.",
      kinds: /** @type {Record<string, string>} */ ({ boot: "Boot", driver: "Driver", agent: "Agent", attribute: "Attribute", event: "Event", finding: "Finding" }),
      many: (/** @type {number} */ n, /** @type {string} */ kind) => `${n} entries: ${kind.toLowerCase()}`,
      span: "Charts show", spans: /** @type {Record<string, string>} */ ({ all: "all there is", 30: "30 days", 7: "7 days", 1: "1 day", boot: "this boot" }),
      markBoot: "boot", markAt: "shown", markSince: "compared",
      new: "(new)", gone: "(gone)",
    },
    memory: {
      title: "Memory", asOf: "snapshot of", past: "past",
      commit: "Commit charge", physical: "Physical memory", limitIs: "limit", ofWhole: "of",
      parts: /** @type {Record<string, string>} */ ({
        nonpaged: "Nonpaged pool", paged: "Paged pool", rest: "Processes, drivers and other kernel memory", unsplit: "In use, a pool total is unknown",
        free: "Free up to the limit", resident: "In use by the rest, with the resident part of the paged pool", inuse: "In use", available: "Available",
      }),
      short: /** @type {Record<string, string>} */ ({ nonpaged: "Nonpaged", paged: "Paged", rest: "The rest in use", resident: "The rest in use", free: "Free", available: "Available" }),
      notes: {
        rest: "No total tells processes, drivers and the rest of the kernel apart: that part is drawn hatched.",
        unknown: "Its agent did not tell these totals.", contradiction: "These totals contradict each other, so no split is drawn.",
      },
      pools: "Nonpaged and paged pool", poolsChart: "Nonpaged and paged pool over time; the band holds what lies between two points",
      commitChart: "Commit charge over time, split as above", physicalChart: "Physical memory over time, split as above",
      limit: "Limit", one: "One snapshot so far: the picture over time begins with the second.", none: "No snapshot in this range.",
      handles: "Handles", processes: "Processes, threads", failures: "Failed allocations", figures: "Figures", part: "Part", size: "Size", share: "Share", at: "At", last: "Last", min: "Least", max: "Most",
      points: (/** @type {number} */ shown, /** @type {number} */ all) => (shown === all ? `${all.toLocaleString("en-US")} snapshots` : `${all.toLocaleString("en-US")} snapshots in ${shown.toLocaleString("en-US")} points`),
    },
    fill: {
      title: "What fills the pools", nonpaged: "Nonpaged", paged: "Paged", colour: "Colour", byPeers: "against peers", byChange: "change", group: "Tiles", byTag: "tags", byOwner: "drivers",
      peers: (/** @type {number} */ n) => `compared with ${n.toLocaleString("en-US")} peers:`, pastPeers: "peers are compared at the newest snapshot only", fewPeers: "too few peers to compare with",
      sinceOf: "change since", noSince: "choose a second moment to see the change",
      legend: { same: "as its peers", above: "above them (score 5 and more)", far: "far above (10 and more)" },
      change: /** @type {Record<string, string>} */ ({ "2": "grew by half and more", "1": "grew by a tenth", "0": "about the same", "-1": "shrank by a tenth", "-2": "shrank by half", new: "new", null: "not known" }),
      none: "No tag of this pool is known", more: (/** @type {number} */ n) => `${n} more`, ofPool: "of the pool", tags: (/** @type {number} */ n) => `${n} tags`,
      map: (/** @type {string} */ pool) => `${pool} pool: a tile a tag, biggest first; arrow keys move between tiles`, list: "As a table",
      tag: "Tag", driver: "Driver", bytes: "Bytes", share: "Share", delta: "Change", score: "Score",
    },
    tags: {
      title: "Pool tags", grid: "Pool tags of this host", pool: "Pool (p)", both: "Both", since: "Change since", search: "Tag, driver or description",
      past: "past", of: "snapshot of", rebooted: "; rebooted in between: nothing to compare", changeSince: ", change since", noEarlier: "; no earlier snapshot of this boot",
      rows: (/** @type {string} */ shown, /** @type {string} */ all) => `${shown} of ${all} rows`,
      none: "No pool tags at this moment", noneWhy: "No snapshot of this host held a tag table then.", noMatch: "No tag matches", sumChange: "Sum of changes", sum: "Sum shown",
      pause: "Pause (Space)", resume: "Go on (Space)", paused: "paused", overTime: "over time", close: "Close", one: "Only one snapshot so far", bytesOf: "Bytes of", ratesOf: "Allocations a second of", bytes: "Bytes", rate: "Allocs per second", csv: "CSV",
      keys: { pool: "pool", sort: "sort", change: "by change", search: "search", open: "open tag", chart: "over time", pause: "pause", all: "all keys" },
    },
    boots: {
      title: "Boots over one another", why: "Hours since boot on one axis: a leak draws the same slope again after every boot.", measure: "Show", count: "Boots", nonpaged: "Nonpaged pool", paged: "Paged pool",
      chosen: "the chosen tag", chart: (/** @type {string} */ what) => `${what} of the last boots over hours since boot`, one: "One boot so far: there is nothing to lay over it yet.", boot: "Boot", hours: "Hours since boot", since: "since",
      partial: (/** @type {number} */ n, /** @type {number} */ all) => `${n} of ${all} boots could not be read.`, retry: "Try again", h: "h", pick: "To show a tag here, choose its row in the table above.",
    },
    compare: {
      title: "Compare", off: "Nothing", moment: "Another moment", boot: "Another boot", host: "Another host", with: "With", which: "Which host", whichBoot: "Which boot", at: "At",
      scale: "Scale to the same uptime", scaled: (/** @type {string} */ f) => `The right side is multiplied by ${f}, the ratio of both uptimes: what it would hold had it grown at its own mean rate for as long.`,
      choose: "Choose what this moment is compared with.", find: "Part of a host\u2019s name", noHosts: "No host matches", here: "This host", there: "The other side", up: "up", order: "Order",
      orders: /** @type {Record<string, string>} */ ({ away: "biggest difference", "-difference_bytes": "more here", difference_bytes: "less here", "-bytes": "biggest here", "-against_bytes": "biggest there" }),
      tag: "Tag", pool: "Pool", bytes: "Here", against: "There", difference: "Difference", outstanding: "Outstanding here", againstOutstanding: "Outstanding there", driver: "Driver", same: "No difference in any tag", more: "Show more",
      rows: (/** @type {string} */ shown, /** @type {string} */ all) => `${shown} of ${all} tags`, change: "Choose another",
    },
    more: {
      label: "Drivers, changes and more", tabs: "More about this host", asOf: "as of",
      changes: "Changes", drivers: "Drivers", objects: "Objects", processes: "Processes", sessions: "Sessions", events: "Events", boots: "Boots", attributes: "Attributes",
      noChange: "No change has been seen", noDriver: "No driver is known", noObject: "No object counts are known at this moment", noProcess: "No process is known at this moment", noSession: "No session is known at this moment", noEvent: "No event was reported", noBoot: "No boot is known", noAttribute: "No attribute is known",
      partial: "What was there at this moment could not be read; what is shown is of the newest snapshot.",
      when: "When", what: "What", name: "Name", from: "From", to: "To", driver: "Driver", attribute: "Attribute", version: "Version", company: "Company, product", file: "File", tags: "Tags inside", since: "Since", history: "History", count: (/** @type {number} */ n) => `${n} ${n === 1 ? "change" : "changes"}`,
      type: "Type", objectCount: "Objects", handles: "Handles", process: "Process", pid: "PID", session: "Session", pagedPool: "Paged pool", failures: "Failures", provider: "Provider", event: "Event", booted: "Booted", firstSeen: "First seen", lastSeen: "Last seen", snapshots: "Snapshots", value: "Value",
      cut: "The first 500 are shown; the CSV has them all.",
    },
    blocks: { title: "Big blocks", why: "allocations of a page or more by size, measured", tag: "Tag", size: "Size of one", blocks: "How many", total: "Together", share: "Of the largest" },
  },

  // views/tags.js, views/tag.js, views/explain.js, views/drivers.js, views/driver.js
  tags: {},
  tag: {},
  explain: {},
  drivers: {},

  // views/findings.js, views/finding.js
  findings: {},
  finding: {},

  // views/diagnose.js, views/admin.js, views/account.js, views/setup.js, views/signin.js
  diagnose: {},
  admin: {},
  account: {},

  // components: the shell, dialogs, states, keys
  shell: {},
  states: {},
};
