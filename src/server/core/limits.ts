// Every bound on what clients can make the broker hold. Defaults live in config.ts; each refusal names its limit.

export interface CoreLimits {
  readonly sessionsMax: number;
  readonly addressSpacesPerSessionMax: number;
  readonly virtualIommusPerSessionMax: number;
  readonly devicesPerSessionMax: number;
  readonly mappingsPerAddressSpaceMax: number;
  readonly mappingsPerCallMax: number;
  readonly sourcesPerCallMax: number;
  readonly commandsPerCallMax: number;
  readonly bindsPerCallMax: number;
  readonly invalidationStreamsPerSessionMax: number;
  /** Batches of one stream that are held unanswered; more are not read. */
  readonly invalidationBatchesOutstandingMax: number;
  readonly faultStreamsPerSessionMax: number;
  readonly faultRingEventsMax: number;
  readonly faultBatchEventsMax: number;
  /** How long a batch may wait for more; 0: until the turn is over. */
  readonly faultBatchMs: number;
  /** Entries kept of all devices together. */
  readonly faultHistoryEventsTotalMax: number;
  /** Of one device; 0: as many as there are. */
  readonly faultEventsPerSecond: number;
  /** Diagnoses made in a second for all devices; 0: none. */
  readonly faultDiagnosesPerSecond: number;
  readonly faultObserversMax: number;
  /** Time to answer a stalled transaction or a group of page requests. */
  readonly faultResponseMs: number;
  /** Calls that may wait for one address space, virtual IOMMU or IOMMU group. */
  readonly queueDepthMax: number;
  /** Calls that may stand in line for one IOMMU group. */
  readonly waitersPerGroupMax: number;
  /** Longest time a call may stand in line. */
  readonly attachWaitMaxMs: number;
  /** From the notice to a preempted session until its device is set to abort. */
  readonly preemptGraceMs: number;
  readonly deviceWatchesMax: number;
  /** Changes of the inventory kept for watchers that are behind, or resume. */
  readonly deviceChangesMax: number;
  readonly leaseTtlMinMs: number;
  readonly leaseTtlMaxMs: number;
  readonly leaseTtlDefaultMs: number;
  /** Longest time for which a lost session may keep what it has. */
  readonly sessionGraceMaxMs: number;
  /** At least how long a session of before a restart may take to come back. */
  readonly resumeWindowMs: number;
  /** Longer than this without a look at the leases, and it was the daemon that was away, not its clients. */
  readonly leaseStallMs: number;
}
