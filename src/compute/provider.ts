import type { Duplex } from 'node:stream'

/** How a machine's processor runs: by the host's (`kvm`) or emulated in software (`tcg`). */
export type Accelerator = 'kvm' | 'tcg'

/** A disk of a machine: what the guest writes goes to `overlayPath`, the rest is read from `base`. */
export interface VmDisk {
  /** `os`, or the data disk's LUN. */
  readonly lun: 'os' | number
  /** A qcow2 file without a backing file in its header: nothing in a file may decide what QEMU opens. */
  readonly overlayPath: string
  /** Undefined: an empty data disk, which reads as zeros. */
  readonly base: { readonly nbdSocketPath: string; readonly exportName: string } | undefined
}

export interface VmSpec {
  /** A uuid of ours: nothing that a client wrote reaches the hypervisor's command line. */
  readonly vmKey: string
  readonly cpus: number
  readonly memoryMiB: number
  readonly firmware: 'bios' | 'uefi'
  readonly disks: readonly VmDisk[]
  /** What the guest prints on its first serial port is appended here; the provider keeps it bounded. */
  readonly serialLogPath: string
  /** A NoCloud seed, read-only, raw. */
  readonly seedIsoPath?: string | undefined
  /** A drive with applications, read-only, raw. */
  readonly applicationsPath?: string | undefined
  /**
   * Is given the other end of the cable of the guest's network card: Ethernet frames, each with its length in 32 bits before
   * it. Undefined: it has no network card.
   */
  readonly serveNetwork?: ((cable: Duplex) => void) | undefined
}

export type VmState = 'running' | 'stopping' | 'stopped'

export interface VmExit {
  readonly vmKey: string
  /** `asked`: by `stop`; `guest`: it powered itself off; `crashed`: anything else. */
  readonly why: 'asked' | 'guest' | 'crashed'
  /** The last of what the hypervisor said, for the log. */
  readonly said: string
}

/**
 * Runs machines. One process of ours owns them: they end with it, and what should run is started again by the next.
 */
export interface HypervisorProvider extends AsyncDisposable {
  /** Resolves when the machine runs (not: when its guest is up). Throws a Problem where it cannot be started. */
  start(spec: VmSpec): Promise<void>
  /**
   * `graceful` presses the power button and gives the guest `graceMs`; `forced`, and what is left then, is pulling the
   * plug, though everything that the guest flushed is on disk. Resolves when the machine is gone; stopped ones are fine.
   */
  stop(vmKey: string, how: 'graceful' | 'forced', graceMs?: number): Promise<void>
  state(vmKey: string): VmState
  /** Adds a data disk to a running machine; its guest sees it when it looks. Throws DiskNotPlugged. */
  plug(vmKey: string, disk: VmDisk): Promise<void>
  /**
   * Asks a running machine's guest to let go of a data disk and takes it out: from then on nothing writes to its overlay.
   * Throws DiskNotReleased where the guest has not answered after `timeoutMs`: the disk is still there then. May be
   * called again.
   */
  unplug(vmKey: string, lun: number, timeoutMs: number): Promise<void>
  /** Puts another drive with applications in the place of what a running machine has; as `unplug` and `plug`. */
  replaceApplications(vmKey: string, path: string, timeoutMs: number): Promise<void>
  /**
   * Holds a running machine still while `work` reads its overlays, of which everything that QEMU knows is in the files
   * then, and lets it go on. Throws where the machine ends meanwhile.
   */
  whilePaused<T>(vmKey: string, work: () => Promise<T>): Promise<T>
  /** Called once for each machine that ended, whatever the reason. */
  onExit(listener: (exit: VmExit) => void): void
  /** Ends machines that an earlier process of this server left behind; answers how many. Call before any start. */
  endOrphans(): Promise<number>
}
