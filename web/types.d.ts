// Shapes of the REST answers and of the vendors' modules, for `npm run check`. Nothing here ships.

declare module "*/vendor/htm-preact.js" {
  export type VNode = any;
  export function html(strings: TemplateStringsArray, ...values: any[]): VNode;
  export function render(tree: VNode, parent: Element): void;
  export function h(type: any, props: any, ...children: any[]): VNode;
  export class Component<P = any, S = any> {
    constructor(props?: P);
    props: P;
    state: S;
    setState(next: Partial<S>): void;
    forceUpdate(): void;
    render(props: P, state: S): VNode;
  }
  export function createContext<T>(value: T): { Provider: any; Consumer: any; __type?: T };
  export function useState<T>(initial: T | (() => T)): [T, (next: T | ((old: T) => T)) => void];
  export function useReducer<S, A>(fn: (s: S, a: A) => S, initial: S): [S, (a: A) => void];
  export function useEffect(fn: () => void | (() => void), deps?: any[]): void;
  export function useLayoutEffect(fn: () => void | (() => void), deps?: any[]): void;
  export function useRef<T>(initial: T): { current: T };
  export function useMemo<T>(fn: () => T, deps: any[]): T;
  export function useCallback<T extends (...args: any[]) => any>(fn: T, deps: any[]): T;
  export function useContext<T>(context: { __type?: T }): T;
  export function useErrorBoundary(fn?: (error: any) => void): [any, () => void];
}

type Bytes = number | null;
type Time = string | null; // RFC 3339, UTC
type Pool = "nonpaged" | "paged";
type Severity = "critical" | "warning" | "info";

interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string | null;
  field: string | null;
  hint: string | null;
  request_id: string | null;
}

interface List<T> {
  items: T[];
  next_cursor: string | null;
  total: number;
}

interface Session {
  role: string;
  name: string;
  kind: "user" | "token" | "proxy";
  expires_at: Time;
}

interface Exhaustion {
  p10: Time;
  p50: Time;
  p90: Time;
}

interface FindingHost {
  id: string;
  name: string | null;
  bytes: Bytes;
  rate_bytes_per_hour: number | null;
  since: Time;
  exhausts_at: Exhaustion | null;
  cohort_bytes: Bytes;
  cohort_hosts: number | null;
  score: number | null;
  limit: string | null;
  process: string | null;
  process_handles: number | null;
  simulated?: boolean;
  muted_by?: number | null;
}

interface Cause {
  attribute: string;
  value: string;
  affected: number;
  affected_with: number;
  unaffected: number;
  unaffected_with: number;
  risk_ratio: number | null;
  q_value: number | null;
  and_attribute?: string | null;
  and_value?: string | null;
  first_bad?: string | null;
  last_good?: string | null;
  first_good?: string | null;
  changed_hosts?: number;
  rate_before?: number | null;
  rate_after?: number | null;
}

interface KnownLeakMatch {
  id: string;
  title: string;
  fit: string;
  says: string | null;
  advice: string;
  source: string;
  confidence: string;
}

interface Finding {
  id: string;
  kind: "leak" | "level" | "plateau" | "exhaustion" | "handle_leak" | "shift";
  status: "open" | "acknowledged" | "muted" | "resolved";
  severity: Severity;
  confidence: number | null;
  pool: Pool;
  tag: string;
  tags: string[];
  summary: string;
  hosts: FindingHost[];
  host_count: number;
  explained_by: Cause[];
  owner: { driver: string | null; description: string | null; source: string | null } | null;
  first_seen: Time;
  last_seen: Time;
  opened_at?: Time;
  resolved_at?: Time;
  note: string | null;
  muted_until: Time;
  acknowledged_by: string | null;
  cause_note: string | null;
  evidence: string[];
  known_leaks?: KnownLeakMatch[];
  history?: { at: Time; actor: string | null; change: string; note: string | null }[];
  tags_detail?: { tag: string; driver: string | null; description: string | null; ratio?: number | null; ratio_hosts?: number }[];
  reopened_at?: Time;
  reopened_count?: number;
  muted_by?: number | null;
  born_muted?: boolean;
  muted_hosts?: number;
  version?: number | null;
  mutes?: Mute[];
}

interface Overview extends OverviewFleet {
  as_of: Time;
  analyzed_at: Time;
  server_time: Time;
  hosts: { total: number; reporting: number; silent: number; faulty: number; in_findings: number; awaiting: number; standing: Standing };
  snapshots: { last_hour: number; last_day: number };
  pools: { nonpaged_bytes: Bytes; paged_bytes: Bytes };
  findings: {
    open: number;
    critical: number;
    warning: number;
    info: number;
    new_since_yesterday: number;
  };
  top_findings: Finding[];
  top_tags: {
    tag: string;
    pool: Pool;
    bytes: Bytes;
    hosts: number;
    driver: string | null;
    description: string | null;
  }[];
  simulated: boolean;
}

interface HostItem {
  id: string;
  name: string | null;
  os_name: string | null;
  os_build: string | null;
  role: string | null;
  model: string | null;
  ram_bytes: Bytes;
  boot_at: Time;
  uptime_seconds: number | null;
  last_seen: Time;
  nonpaged_bytes: Bytes;
  paged_bytes: Bytes;
  nonpaged_limit_bytes: Bytes;
  findings: number;
  worst_severity: Severity | null;
  simulated: boolean;
  silent: boolean;
  faulty_since: Time;
  faulty_reason: string | null;
  awaiting_first_snapshot: boolean;
  enrolled_at: Time;
  agent: { version: string | null; waiting: number | null; dropped: number | null; simulated: boolean } | null;
}

interface HostDetail extends HostItem {
  attributes: Record<string, string>;
  totals: Record<string, number | null>;
  drivers: {
    name: string;
    version: string | null;
    company: string | null;
    product: string | null;
    sha256: string | null;
    symbols: string | null;
    scanned: boolean;
    tags: string[];
    since: Time;
  }[];
  changes: {
    at: Time;
    kind: string;
    name: string;
    from: string | null;
    to: string | null;
  }[];
  boots: { boot_at: Time; first_seen: Time; last_seen: Time; snapshots: number }[];
  totals_series: { t: number[]; nonpaged_bytes: (number | null)[]; paged_bytes: (number | null)[] };
  objects: { type: string; objects: number | null; handles: number | null }[];
  processes: { pid: number; image: string; handles: number | null }[];
  sessions: { id: number; paged_bytes: Bytes; failures: number | null }[];
  events: { at: Time; provider: string; id: number }[];
  big_blocks: { at: Time; tags: { tag: string; sizes: { bytes: number; blocks: number }[] }[] } | null;
  finding_ids: string[];
  first_snapshot_at: Time;
  last_snapshot_at: Time;
}

interface HostTag {
  tag: string;
  pool: Pool;
  allocs: number | null;
  frees: number | null;
  outstanding: number | null;
  bytes: Bytes;
  bytes_per_alloc: number | null;
  delta_allocs: number | null;
  delta_frees: number | null;
  delta_bytes: number | null;
  cohort_bytes: Bytes;
  cohort_hosts: number | null;
  score: number | null;
  driver: string | null;
  description: string | null;
}

interface HostTags {
  host_id: string;
  at: Time;
  since: Time;
  boot_at: Time;
  rows_total: number;
  rebooted?: boolean;
  totals: Record<string, number | null>;
  items: HostTag[];
  cohort: { key: string; label: string; hosts: number } | null;
}

interface TagSeries {
  t: number[];
  bytes: (number | null)[];
  outstanding: (number | null)[];
  alloc_rate: (number | null)[];
  boots: number[];
}

interface FleetSeries {
  t: number[];
  hosts: (number | null)[];
  sum: (number | null)[];
  p50: (number | null)[];
  p90: (number | null)[];
  p99: (number | null)[];
  max: (number | null)[];
}

interface TagItem {
  tag: string;
  pool: Pool;
  hosts: number;
  bytes: Bytes;
  median_bytes: Bytes;
  p99_bytes: Bytes;
  max_bytes: Bytes;
  max_host_id: string | null;
  max_host_name: string | null;
  outstanding: number | null;
  driver: string | null;
  description: string | null;
  source: string | null;
  findings: number;
  worst_severity?: Severity | null;
  max_score?: number | null;
  day_bytes?: number | null;
}

interface TagDetail {
  tag: string;
  hex: string;
  driver: string | null;
  description: string | null;
  look_at: string | null;
  source: string | null;
  owners: { driver: string | null; description: string | null; source: string | null }[];
  pools: TagItem[];
  findings: string[];
  drivers: { name: string; versions: number | string[]; hosts: number }[];
  known_leaks?: KnownLeakMatch[];
}

interface TagHost {
  host_id: string;
  name: string | null;
  bytes: Bytes;
  outstanding: number | null;
  allocs: number | null;
  frees: number | null;
  cohort_key: string | null;
  cohort_label: string | null;
  cohort_bytes: Bytes;
  score: number | null;
  os_build: string | null;
  role: string | null;
  uptime_seconds: number | null;
  finding_id: string | null;
}

interface DriverItem {
  name: string;
  company: string | null;
  versions: number;
  hosts: number;
  tags: string[];
  findings: number;
  product: string | null;
  files: number;
  files_scanned: number;
}

interface DriverDetail {
  name: string;
  company: string | null;
  product: string | null;
  tags: string[];
  versions: {
    version: string;
    hosts: number;
    first_seen: Time;
    last_seen: Time;
    hosts_in_findings: number;
    leak_bytes_per_hour: number | null;
    hosts_blamed: number;
    blamed_low: number;
    blamed_high: number;
    verdict: "good" | "bad" | "few" | "mixed" | "unused";
    growth: Spread;
    files: { sha256: string; symbols: string | null; scanned: boolean; tags: string[]; hosts: number; first_seen: Time; scanned_at: Time }[];
  }[];
  adoption: { t: number[]; versions: Record<string, number[]> };
}

interface DiagnoseRow {
  tag: string;
  pool: Pool | null;
  allocs: number | null;
  frees: number | null;
  outstanding: number | null;
  bytes: Bytes;
  description: string | null;
}

interface Diagnosis {
  reports: {
    tool: string | null;
    rows: DiagnoseRow[];
    totals: Record<string, any> | null;
    vm: Record<string, any> | null;
    sessions: Record<string, any>[] | null;
  }[];
  verdict: string;
  verdict_why: string | null;
  suspects: { tag: string; pool: Pool | null; driver: string | null; why: string; known_leaks?: { id: string; title: string; advice: string; source: string }[] }[];
  hints: string[];
  next_steps: string[];
  comparison:
    | {
        tag: string;
        pool: Pool;
        bytes: Bytes;
        fleet_hosts: number;
        fleet_median_bytes: Bytes;
        fleet_p99_bytes: Bytes;
        fleet_max_bytes: Bytes;
        finding_ids: string[];
        sentence: string;
      }[]
    | null;
}

interface Resource<T> {
  data: T | null;
  error: (Error & Partial<Problem>) | null;
  loading: boolean; // a request is under way
  pending: boolean; // the data shown is of another address than the one asked for
  at: number | null; // when the data came, ms
  reload: () => void;
}

interface Window {
  uPlot?: any;
}

// ---- host ----

interface HostSeries {
  host_id: string;
  from: Time;
  to: Time;
  snapshots: number;
  t: number[];
  boots: number[];
  columns: Record<string, { last: (number | null)[]; min: (number | null)[]; max: (number | null)[] }>;
}

interface HostState extends Pick<HostDetail, "totals" | "drivers" | "objects" | "processes" | "sessions" | "events"> {
  host_id: string;
  at: Time;
  boot_at: Time;
  uptime_seconds: number | null;
  attributes: { name: string; value: string; since: Time }[];
}

interface HostHistoryItem {
  at: string;
  until: Time;
  kind: "boot" | "driver" | "agent" | "attribute" | "event" | "finding";
  name: string | null;
  from: string | null;
  to: string | null;
  finding_id: string | null;
  severity: Severity | null;
}

interface HostSide {
  host_id: string;
  name: string | null;
  at: Time;
  boot_at: Time;
  uptime_seconds: number | null;
  totals: Record<string, number | null>;
}

interface HostPair {
  tag: string;
  pool: Pool;
  bytes: Bytes;
  against_bytes: Bytes;
  difference_bytes: Bytes;
  outstanding: number | null;
  against_outstanding: number | null;
  difference_outstanding: number | null;
  allocs: number | null;
  against_allocs: number | null;
  frees: number | null;
  against_frees: number | null;
  driver: string | null;
  description: string | null;
}

interface HostComparison extends HostSide, List<HostPair> {
  factor: number;
  against: HostSide;
}

// map: Today, Fleet map, Hosts
interface Standing {
  critical: number;
  warning: number;
  info: number;
  faulty: number;
  silent: number;
  awaiting: number;
  ok: number;
}

interface OverviewFleet {
  map: { by: "role"; groups: (Standing & { label: string | null; groups: number; hosts: number })[] };
  checked: { hosts: number; tags: number; rows: number; cohorts: number; since: Time };
  changes: {
    new: number;
    worsened: number;
    resolved: number;
    items: { finding_id: string; change: "new" | "worsened" | "resolved"; at: Time; kind: string; severity: Severity; summary: string }[];
  };
  changes_since: Time;
  first_to_run_out: { host_id: string; name: string | null; finding_id: string; limit: string | null; exhausts_at: Exhaustion } | null;
}
// life: Findings, Finding
interface Mute {
  id: number;
  state: "standing" | "ended";
  finding: string | null;
  tags: string[];
  hosts: string[];
  driver: string | null;
  driver_version: string | null;
  until: Time;
  reason: string;
  created_by: string;
  created_at: Time;
  ended_at: Time;
  ended_by: string | null;
  findings: number;
  host_count: number;
  version: number;
}

interface FixHost {
  id: string;
  name: string | null;
  moved: boolean;
  from: string | null;
  to: string | null;
  changed_at: Time;
  before_bytes_per_hour: number | null;
  before_low: number | null;
  before_high: number | null;
  after_bytes_per_hour: number | null;
  after_low: number | null;
  after_high: number | null;
  after_hours: number | null;
  growth: "stopped" | "growing" | "too_early" | "unmeasured";
  simulated: boolean;
}

interface FixGroup {
  hosts: number;
  read: number;
  measured: number;
  growing: number;
  low: number | null;
  high: number | null;
  too_early: number;
  unmeasured: number;
  median_before: number | null;
  median_after: number | null;
}

interface FindingFix extends List<FixHost> {
  finding: string;
  attribute: string | null;
  value: string | null;
  tag: string;
  pool: Pool;
  verdict: "no_version" | "nobody_moved" | "too_early" | "too_few" | "works" | "fails" | "unclear";
  sentence: string;
  moved: FixGroup;
  stays: FixGroup;
  other_hosts: number;
  p_value: number | null;
  versions: { version: string | null; hosts: number; measured: number; growing: number; low: number | null; high: number | null }[];
}

interface FindingSeries {
  pool: Pool;
  tag: string;
  t: number[];
  hosts: { id: string; name: string | null; bytes: (number | null)[] }[];
  peers: { hosts: number; alike: boolean; median: (number | null)[] };
}

// ---- explain: tags, drivers, and what separates hosts
interface Spread {
  hosts: number;
  min: number | null;
  q1: number | null;
  median: number | null;
  q3: number | null;
  max: number | null;
  median_low: number | null;
  median_high: number | null;
}
interface Dot {
  host_id: string;
  name: string | null;
  value: number;
  band: string;
  score: number | null;
  finding_id: string | null;
  simulated: boolean;
}
interface Distribution extends Spread {
  tag: string;
  pool: Pool;
  measure: string;
  as_of: Time;
  under_one: number;
  bins_per_octave: number;
  first_bin: number;
  bands: { band: string; hosts: number; counts: number[] }[];
  dots_complete: boolean;
  dots: Dot[];
}
interface TagBuckets {
  tag: string;
  pool: Pool;
  step_seconds: number;
  newest: Time;
  t: number[];
  low: number[];
  hosts: number[][];
}
interface TagLockstep {
  hosts: number;
  note: string | null;
  items: { tag: string; pool: Pool; ratio: number; ratio_low: number; ratio_high: number; correlation: number; hosts: number; in_finding: boolean; driver: string | null; description: string | null }[];
}
interface TagVersions {
  measure: string;
  drivers: { name: string; versions: (Spread & { version: string | null; loaded: number })[] }[];
}
interface TagTable {
  as_of: Time;
  hosts_total: number;
  trend_newest: Time;
  columns: Record<string, any[]>;
}
interface ExplainItem {
  attribute: string;
  value: string | null;
  any_version: boolean;
  kind: string;
  selected_with: number;
  selected: number;
  baseline_with: number;
  baseline: number;
  selected_low: number;
  selected_high: number;
  baseline_low: number;
  baseline_high: number;
  separation: number;
  risk_ratio: number;
  risk_low: number;
  risk_high: number | null;
  p_value: number;
  q_value: number;
  verdict: "separates" | "hint" | "alike" | "too_few";
}
interface Explanation extends List<ExplainItem> {
  tag: string | null;
  pool: Pool | null;
  measure: string;
  as_of: Time;
  selection: { kind: string; low: number | null; high: number | null; finding_id: string | null; having: string | null; hosts: number };
  baseline: { kind: string; within: string | null; hosts: number };
  tested: number;
  cut: boolean;
  note: string | null;
}
interface ExplainHost {
  host_id: string;
  name: string | null;
  side: "selected" | "baseline";
  has: boolean;
  value: string | null;
  measured: number | null;
  simulated: boolean;
}
interface DriverItem {
  top_version: string | null;
  top_hosts: number;
  hosts_changed: number;
  findings_cause: number;
  findings_owner: number;
  worst_rate: number | null;
}
interface DriverDetail {
  tags_detail: { tag: string; listed: boolean; scanned: boolean; drivers: number; counted: boolean; description: string | null }[];
  range: { last_good_before: string | null; first_bad: string | null; last_bad: string | null; first_good: string | null; note: string | null };
  findings: { id: string; kind: string; tag: string; pool: Pool; cause: boolean; owner: boolean }[];
  known_leaks: KnownLeakMatch[];
}

// host: the poolmon table as columns
interface HostTagTable {
  host_id: string;
  at: Time;
  since: Time;
  boot_at: Time;
  rows_total: number;
  rebooted: boolean;
  totals: Record<string, number | null>;
  cohort: { key: string; label: string; hosts: number } | null;
  nonpaged_rows: number;
  columns: { tag: string[] } & Record<"allocs" | "frees" | "bytes" | "delta_allocs" | "delta_frees" | "delta_bytes" | "cohort_bytes" | "cohort_hosts" | "score" | "driver" | "description", (number | null)[] | null>;
  dictionaries: { driver: string[]; description: string[] };
}
