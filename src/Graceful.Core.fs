// The theory of leaving: what may happen to a server on its way out, and what must be done about it.
// Pure: no clock, socket, thread or log. Every decision of Graceful is made in this file, and every one is tested.
//
// Three machines, hottest first, each one total function `step`:
//   Connection   one word a connection, stepped a few times a request; an adapter applies it with CAS
//   Gate         one word a server, stepped twice a connection; applied with CAS too
//   Lifecycle    one value a server, stepped on edges and due times; owned by one mailbox
// and for what asks for less than a machine a function each: Request, Use, IdleLifetime, WebSocket.
//
// The rules
//   1. A step never throws. A late, repeated or impossible event changes nothing; at most the wake-up is ordered again.
//   2. The machines never call each other: an adapter turns an effect of one into an event of the next.
//   3. Register, then enter the gate; change the gate, then sweep the table. So nobody inside misses the notice.
//   4. A client is told on a response of its own. Told, it closes after its work; untold, only once it was quiet.
//   5. `Emptied` comes exactly once: the gate seals itself in the step in which the last one leaves.
//   6. Whoever is quiet may go while the listeners still close, but nobody is judged quiet who was not retired before.
//   7. Going down, never back once the host is told. What is provisional leads back to `Running`: `IdleExpired`, a drill, and
//      a stop that nobody but the application asked for, as long as the listeners are open.
//   8. One grace period covers everything up to the after-drain hooks; these run whatever happened before.
//   9. Only signals kick. Everybody else who asks for a stop joins the one that is under way.
//  10. Hooks of a stage begin as soon as those they wait for are over. Each waits for earlier ones only, so none waits for ever.
//  11. The core never starts a timer: it says when it must be woken at the latest, and a stale wake-up is harmless.
namespace Graceful.Core

open System
open System.Runtime.CompilerServices

/// A moment on a monotonic clock, in ticks of 100 ns since a start of the adapter's choosing. Never wall-clock time.
[<Struct>]
type Instant =
    | Instant of ticks: int64

    /// The moment `span` later; the far end of time when it would lie beyond.
    static member (+)(Instant ticks, span: TimeSpan) =
        if span.Ticks > Int64.MaxValue - ticks then Instant Int64.MaxValue else Instant(ticks + span.Ticks)

    /// The time from `earlier` to `later`.
    static member (-)(Instant later, Instant earlier) = TimeSpan(later - earlier)

// ---- Connection --------------------------------------------------------------------------------------------------

/// How observations of a raw socket count as work. A mode is a table from observations to events, not a state.
[<Struct>]
type Mode =
    /// Only explicit marks count.
    | Manual
    /// A read marks the connection in use.
    | Automatic
    /// As `Automatic`, and setting a read deadline marks it idle.
    | Deadline

/// What the wrapper of a raw socket saw.
[<Struct>]
type Observation =
    /// Bytes of the client came.
    | BytesRead
    /// The user set a time by which bytes must come.
    | ReadDeadlineSet
    /// The user said that work begins.
    | MarkedInUse
    /// The user said that work is over.
    | MarkedIdle

/// What a connection is doing, as people talk of it. Read out of a `Connection`; never stored beside one.
[<Struct>]
type Phase =
    /// Accepted, and no request yet (a handshake may be under way).
    | New
    /// At least one request is in flight.
    | Active
    /// Served before, nothing in flight.
    | Idle
    /// Upgraded: it speaks a protocol of its own until it ends.
    | Hijacked
    /// We closed it, or it is gone.
    | Closed

/// What happened to a connection.
[<Struct>]
type ConnectionEvent =
    /// A request began. Requests may overlap (HTTP/2) and are counted.
    | Begin
    /// A request ended: its response is produced.
    | End
    /// The notice went out: `Connection: close` on a response head, a GOAWAY. What is in flight is the last.
    | Tell
    /// Somebody works on this raw connection. A level, not a count.
    | MarkInUse
    /// Nobody works on this raw connection any more.
    | MarkIdle
    /// It was upgraded and carries no more requests.
    | Hijack
    /// We are leaving: its next response, or the running one if its head is not out, shall tell the client.
    | Retire
    /// It was quiet long enough: close it as soon as nobody works on it.
    | Reap
    /// A server that goes on gets rid of those whom nobody works on.
    | Shed
    /// Out of time.
    | Abort
    /// Whoever holds it keeps it, and it is no business of the server's any more.
    | Disown
    /// The transport is gone, whoever ended it.
    | Ended

/// What the adapter must do now. At most one a step; `Close`, `Reset` and `LeaveGate` at most once a life.
[<Struct>]
type ConnectionEffect =
    /// Nothing is to be done.
    | Nothing
    /// It went from New or Idle to Active.
    | BecameActive
    /// It went from Active to Idle.
    | BecameIdle
    /// It went to Hijacked.
    | BecameHijacked
    /// Tell the client on the next response head, or with a GOAWAY; answer with `Tell` when that is certain.
    /// During a lame duck `Spread` says when.
    /// One that is hijacked is asked in its own protocol, as a WebSocket is with 1001.
    | AskToClose
    /// Nobody works on it: let it end after what was written; answer with `Ended` when it is gone.
    | Close
    /// End it now; answer with `Ended` when it is gone.
    | Reset
    /// It is gone, or somebody else's: leave the gate. The last effect of every life.
    | LeaveGate

/// What a sweep does with a connection that it finds.
[<Struct>]
type Verdict =
    /// Let it be until the next look.
    | LeaveAlone
    /// Step it with `Retire` and ask again: whoever was quiet may speak at this moment, and must be told then.
    | RetireFirst
    /// Step it with `Reap`.
    | ReapNow
    /// It was closed and still is here, and no byte waits in either direction: stop reading from it.
    | Hasten

/// What the drain owes a request in flight. Its endpoint says so; without a word it must finish.
[<Struct>]
type DrainPolicy =
    /// It is waited for until the grace period ends.
    | MustFinish
    /// It is waited for, but no longer than this since the drain began.
    | Within of limit: TimeSpan
    /// It was asked to finish, and is waited for as long as anybody must, and for the quiet period at least.
    | ToldOnly
    /// Nobody waits for it.
    | AbortAtOnce
    /// A probe: as `ToldOnly`, but for a moment instead of the quiet period, and it is nothing that keeps a server busy.
    | NotCounted

/// What a sweep does with a request in flight.
[<Struct>]
type RequestVerdict =
    /// Let it be until the next look.
    | WaitFor
    /// Abort it, and nobody else on its connection.
    | CutOff
    /// It was cut off and goes on all the same: it is waited for no more.
    | GiveUp

/// Tenure (open, hijacked, closing, gone), what it was told, and how much is in flight, in 32 bits.
/// The phase is derived, so "idle with a request in flight" cannot be written down.
[<Struct>]
type Connection = internal Connection of word: uint32

// ---- Gate --------------------------------------------------------------------------------------------------------

/// Who comes and goes, and what the lifecycle wants of the gate.
[<Struct>]
type GateEvent =
    /// A connection was accepted and is in the table.
    | Enter
    /// Its transport is gone.
    | Leave
    /// From now on whoever enters is told that we are leaving (lame duck).
    | Announce
    /// We are not leaving after all.
    | Withdraw
    /// The listeners are closed: when the last one leaves, we are empty.
    | Drain
    /// As `Drain`, and nobody else gets in.
    | Shut

/// The answer to somebody who enters, or the news that all have left.
[<Struct>]
type GateEffect =
    /// Nothing is to be done.
    | NoChange
    /// Let it in.
    | Admit
    /// Let it in, and step it with `Retire`: its first response is its last.
    | AdmitRetiring
    /// End it: nobody is let in any more, and it must not leave.
    | Refuse
    /// The last one left after `Drain` or `Shut`. Exactly once.
    | Emptied

/// Stance (open, announced, draining, shut) and head count in 64 bits. Shut and empty is sealed: nothing moves it.
[<Struct>]
type Gate = internal Gate of word: uint64

// ---- Lifecycle ---------------------------------------------------------------------------------------------------

/// When a hook runs.
[<Struct>]
type HookStage =
    /// While everything still works; skipped when the stop is forced.
    | BeforeDrain
    /// When all connections have left or were aborted; runs whatever happened.
    | AfterDrain

/// What follows when a hook fails or takes too long.
[<Struct>]
type FailurePolicy =
    /// It is remembered, and everything goes on.
    | Continue
    /// The stage is cut short, as by a second signal.
    | Force

/// A hook as the core knows it. The code it stands for lives in the adapter, under the same index.
type Hook =
    { /// What reports call it.
      Name: string
      /// When it runs.
      Stage: HookStage
      /// How long it is waited for.
      TimeLimit: TimeSpan
      /// The names of the hooks of its stage that it waits for, none of them for none at all. Without: for the earlier
      /// hooks that name nobody either, so that these run in their order.
      WaitsFor: string list voption
      /// What follows when it fails.
      OnFailure: FailurePolicy }

/// What is wrong with the hooks of a policy.
type HookFault =
    /// Two hooks have it.
    | DoubleName of name: string
    /// It waits for a hook that does not exist.
    | UnknownName of hook: string * after: string
    /// It waits for a hook that runs in the other stage.
    | OtherStage of hook: string * after: string
    /// Each waits for the next, and the last one for the first.
    | Cycle of names: string list

/// Why a hook was not added to a server that runs.
type HookRefusal =
    /// Its stage has begun or is over.
    | StageBegun
    /// It does not go with the others.
    | Faulty of HookFault list

/// What the user decided. Validated once, when a server is built; nothing in here changes afterwards.
type Policy =
    { /// How long to go on accepting after readiness failed. Zero: not at all.
      LameDuck: TimeSpan
      /// How long a connection that nobody works on must have been silent before it is closed. Zero: at once.
      QuietPeriod: TimeSpan
      /// From the trigger to the force. Without one the drain waits for ever.
      GracePeriod: TimeSpan voption
      /// A signal that follows another within this time forces. Zero: never.
      DoubleKick: TimeSpan
      /// Leave when nothing was busy for this long. Without one: never.
      IdleLimit: TimeSpan voption
      /// How long a successor may take to become ready.
      SuccessorLimit: TimeSpan
      /// As `HookGraph.arrange` puts them.
      Hooks: Hook[] }

/// Why a server leaves.
type Trigger =
    /// A signal of the operating system.
    | Signal of number: int
    /// The application asked.
    | Requested
    /// The host that runs us stops.
    | HostStopped
    /// Nobody needed the server for longer than its idle limit.
    | IdledOut
    /// A successor took over.
    | HandedOver
    /// The one connection that was to be served has ended.
    | ConnectionEnded
    /// A component that the server cannot do without failed.
    | ComponentFailed of name: string * message: string

/// How a hook ended.
type HookResult =
    /// It did what it had to.
    | Succeeded
    /// It failed, with the error in words.
    | Failed of message: string
    /// Its time limit passed while it ran.
    | TimedOut
    /// Forced while it ran.
    | Cancelled
    /// Forced before it began.
    | Skipped

/// Why the grace was cut short.
[<Struct>]
type ForceCause =
    /// The grace period ended before the drain did.
    | GracePeriodOver
    /// A signal followed another within the double-kick window.
    | SecondSignal
    /// The host lost its patience before our grace period was over.
    | HostTimedOut
    /// Whoever asked for the stop wants it at once.
    | StopNow
    /// A hook failed whose failure cuts its stage short.
    | HookFailed

/// Something that keeps an exit from being clean.
type Trouble =
    /// A hook that did not succeed.
    | HookTrouble of name: string * HookResult
    /// The stop was forced.
    | Forced of ForceCause
    /// A component failed, before the way out or on it.
    | ComponentTrouble of name: string * message: string

/// Whether a stop may still be undone.
[<Struct>]
type Return =
    /// Not: the host is told.
    | NoReturn
    /// Only the application asked, and the listeners are open. `idleCheck` as in `Running`.
    | MayResume of idleCheck: Instant voption

/// What every stage of a shutdown carries along, and all that decides the exit code.
type Shutdown =
    { /// What began it.
      Trigger: Trigger
      /// Whether it may be undone.
      Return: Return
      /// When the last signal came, if any did.
      LastKick: Instant voption
      /// When the grace period ends, if it does.
      Deadline: Instant voption
      /// The latest first.
      Troubles: Trouble list }

/// A hook that runs and when its time is up.
[<Struct>]
type HookRun =
    { /// The hook's place in the policy.
      Index: int
      /// When it is over time.
      Due: Instant }

/// How far the hooks of a stage are: whoever neither runs nor waits is over. Both lists are in the order of the policy.
type HookProgress =
    { /// Those that are waited for; never empty while the stage lasts.
      Running: HookRun list
      /// Those that have not begun.
      Waiting: int list }

/// The stages of a drain, in order. Each names the one thing it waits for.
[<Struct>]
type DrainStage =
    /// The before-drain hooks.
    | RunningBeforeHooks of hooks: HookProgress
    /// The end of the lame duck.
    | LameDuck of until: Instant
    /// `ListenersClosed`; `sweep` is when to look for quiet connections, or empty while a sweep is out.
    | ClosingListeners of sweep: Instant voption
    /// `GateEmptied`: everybody was told. `sweep` as above.
    | AwaitingEmptied of sweep: Instant voption

/// Whether a successor is on its way up.
[<Struct>]
type Successor =
    /// None was asked for.
    | Absent
    /// It must be ready by then.
    | Starting of due: Instant

/// Where a server is in its life.
type Lifecycle =
    /// `idleCheck` is empty while a sample is out, or when there is no idle limit.
    | Running of Successor * idleCheck: Instant voption
    /// Provisional: accepting is paused and a second look is out.
    | IdleExpired
    /// A lame duck for practice: unready, and every client is told, until then. `idleCheck` as in `Running`.
    | Drilling of until: Instant * idleCheck: Instant voption
    /// On the way out, up to the last connection.
    | Draining of Shutdown * DrainStage
    /// The after-drain hooks.
    | Hooks of Shutdown * HookProgress
    /// What went wrong stays readable, and the exit code follows from it.
    | Exited of Shutdown

/// The names of the stages, in the order in which a server goes through them.
[<RequireQualifiedAccess; Struct>]
type Stage =
    | Running
    | IdleExpired
    | Drilling
    | BeforeDrainHooks
    | LameDuck
    | ClosingListeners
    | Draining
    | AfterDrainHooks
    | Exited

    /// As it is written here. What F# would say by itself is the same, but takes milliseconds of reflection on the way out.
    override stage.ToString() =
        match stage with
        | Running -> nameof Running
        | IdleExpired -> nameof IdleExpired
        | Drilling -> nameof Drilling
        | BeforeDrainHooks -> nameof BeforeDrainHooks
        | LameDuck -> nameof LameDuck
        | ClosingListeners -> nameof ClosingListeners
        | Draining -> nameof Draining
        | AfterDrainHooks -> nameof AfterDrainHooks
        | Exited -> nameof Exited

/// Edges only: nothing here happens once a request. `now` is passed to `step` beside the event.
type Event =
    /// Somebody asks for a stop; the first one's trigger counts.
    | StopRequested of Trigger
    /// Somebody who may cut the grace short did.
    | ForceRequested of ForceCause
    /// Somebody wants the stop, or the drill, undone.
    | ResumeRequested
    /// Somebody wants to see what a lame duck of that length does, and the server back afterwards.
    | DrillRequested of lameDuck: TimeSpan
    /// The answer to `SampleIdle`: how many connections and pieces of work are busy, and for how long nothing was.
    | IdleSampled of busy: int * quietFor: TimeSpan
    /// The answer to `CloseListeners`.
    | ListenersClosed
    /// The answer to `SweepConnections`: how soon it wants another look.
    | ConnectionsSwept of lookAgain: TimeSpan
    /// The gate's `Emptied`.
    | GateEmptied
    /// The answer to `StartHook`.
    | HookFinished of index: int * HookResult
    /// Somebody asks for a hand-over.
    | HandOverRequested
    /// The answer to `StartSuccessor`: it accepts.
    | SuccessorReady
    /// The answer to `StartSuccessor`: it will not.
    | SuccessorFailed of message: string
    /// The moment of the last `WakeAt` has come; harmless at any other.
    | Woke

/// Orders to the adapters, obeyed first to last. One `WakeAt` is outstanding: a new one replaces the old.
type Effect =
    /// Answer with `Woke` at this moment.
    | WakeAt of Instant
    /// Count what is busy, and answer with `IdleSampled`.
    | SampleIdle
    /// Fail the readiness probe; liveness holds.
    | FailReadiness
    /// Readiness holds again.
    | RestoreReadiness
    /// Fire the token that asks long work to finish.
    | FireStopping
    /// Who asks from now on gets a token that has not fired.
    | RenewStopping
    /// Tell the host: from here on there is no way back.
    | StopHost
    /// Accept nobody; who waits stays in the queue.
    | PauseAccepting
    /// Accept again.
    | ResumeAccepting
    /// Step the gate with `Announce`, then every connection in the table with `Retire`.
    | AnnounceLeaving
    /// Step the gate with `Withdraw`. Whoever was told goes; whoever comes is not told any more.
    | WithdrawNotice
    /// Stop the intake and answer with `ListenersClosed`. Where a successor has the sockets, take nothing from their queues.
    | CloseListeners of successorHasThem: bool
    /// Step the gate with `Drain`, then every connection in the table with `Retire`.
    | RetireConnections
    /// Ask `Connection.judge` about every connection, do what it says, and answer with `ConnectionsSwept`.
    | SweepConnections
    /// Step the gate with `Shut`, then every connection in the table with `Abort`.
    | AbortConnections
    /// Answer with `HookFinished`.
    | StartHook of index: int
    /// Fire its token; whatever it still does no longer counts.
    | CancelHook of index: int
    /// Answer with `SuccessorReady` or `SuccessorFailed`.
    | StartSuccessor
    /// It is no longer waited for: end it.
    | AbandonSuccessor
    /// A hand-over was asked for where none can begin.
    | RefuseHandOver
    /// There is nothing to undo, or nothing that may be.
    | RefuseResume
    /// A drill was asked for where none can begin.
    | RefuseDrill
    /// The end; the code tells how it went.
    | Exit of code: int
    /// The end was ordered, the process is still there, and somebody signals again: end it at once.
    | Terminate of code: int

// ---- WebSocket ---------------------------------------------------------------------------------------------------

/// The part of a frame that the next byte belongs to.
[<RequireQualifiedAccess; Struct>]
type FramePart =
    /// None: the next byte begins a frame.
    | Between
    /// The one that says whether the payload is masked, and how long it is if that is little.
    | Size
    /// Two or eight bytes that say how long it is.
    | LongSize
    /// Four bytes.
    | MaskingKey
    /// What the frame carries.
    | Payload
    /// What came before makes no sense, so nobody knows.
    | Garbled

/// Where one direction of a WebSocket is between two of its bytes (RFC 6455, section 5.2). Payload is counted, never looked at.
[<Struct>]
type FrameCursor =
    internal
        { Part: FramePart
          /// FIN and opcode of the frame, or of the one that has just ended.
          First: byte
          IsMasked: bool
          /// How many bytes the part still lacks.
          Missing: uint64
          /// How long the payload is, as far as that is known.
          Length: uint64
          /// A message has begun whose last frame has not ended.
          InMessage: bool }

/// How far the closing handshake of a WebSocket is, as far as it is ours.
[<Struct>]
type ClosingHandshake =
    /// Nobody has begun it.
    | NotBegun
    /// The server leaves, and says so as soon as the message ends that is being written.
    | Due
    /// Our Close is out. Nothing may follow it, so what the application writes from now on is dropped.
    | Sent
    /// The peer has answered it.
    | Answered
    /// The application or the peer has closed by itself, or a write failed: we keep out of it.
    | Theirs

/// A WebSocket as the server sees it that carries it: what the application writes, and how it ends.
[<Struct>]
type WebSocket =
    internal
        { /// Where the application's writing is.
          Written: FrameCursor
          Closing: ClosingHandshake }

// ---- IdleLifetime ------------------------------------------------------------------------------------------------

/// A lifetime of the user's own that ends when nothing was busy for a limit. It needs no server.
[<RequireQualifiedAccess>]
type IdleLifetime =
    /// So many are busy; never none.
    | Busy of many: int64
    /// Nobody is, and it ends then.
    | Quiet of due: Instant
    /// It ended then.
    | Expired of at: Instant
    /// What it was part of ended before.
    | ParentCancelled

/// What happens to such a lifetime.
[<RequireQualifiedAccess; Struct>]
type IdleLifetimeEvent =
    /// One more is busy.
    | BecameBusy
    /// One of them is not any more.
    | BecameQuiet
    /// Its end may have come; harmless at any time.
    | Woke
    /// What it is part of has ended.
    | ParentCancelled


// ---- Certificate -------------------------------------------------------------------------------------------------

/// Why a certificate is not used.
[<RequireQualifiedAccess; Struct>]
type CertificateFault =
    /// It can't be read, it is not one for servers, or its key is missing or belongs to another one.
    | Unusable
    /// Its time has not begun.
    | NotYetValid
    /// Its time is over.
    | Expired

/// What a look at the files of a certificate found.
[<Struct>]
type CertificateLook =
    {
        /// Whether every byte is as at the look before this one.
        IsAsBefore: bool
        /// Whether it is the one that is in use.
        IsInUse: bool
        /// Whether certificate and key can be read, belong together and are for servers.
        IsUsable: bool
        /// When its time begins, by the calendar, as it says itself.
        NotBefore: DateTimeOffset
        /// The last moment of its time.
        NotAfter: DateTimeOffset
    }

/// Files of a certificate that are looked at from time to time, because somebody may write others.
[<RequireQualifiedAccess; Struct>]
type CertificateFiles =
    /// Nothing was decided about these bytes yet.
    | Fresh
    /// It was said why they are not used.
    | Refused
    /// They were used, and are of no interest until they change.
    | Settled

/// What a look is followed by.
[<RequireQualifiedAccess; Struct>]
type CertificateVerdict =
    /// Nothing is to be done.
    | Keep
    /// Somebody may be writing at this moment: look again soon.
    | LookAgain
    /// Say why it is not used, and keep the one that is.
    | Refuse of CertificateFault
    /// Use it for handshakes from now on.
    | Take


/// How observations of a raw socket become events.
module Mode =
    /// The event that an observation stands for in a mode, if it stands for one.
    let interpret mode observation =
        match mode, observation with
        | _, MarkedInUse -> ValueSome MarkInUse
        | _, MarkedIdle -> ValueSome MarkIdle
        | (Automatic | Deadline), BytesRead -> ValueSome MarkInUse
        | Deadline, ReadDeadlineSet -> ValueSome MarkIdle
        | Manual, (BytesRead | ReadDeadlineSet)
        | Automatic, ReadDeadlineSet -> ValueNone


/// One connection, from accept to its end.
module Connection =
    // bits 0-1 tenure, 2 served, 3 retiring, 4 last (what is in flight is the last), 5 reset, 6-31 in flight
    [<Literal>]
    let private Tenure = 0b11u

    [<Literal>]
    let private Open = 0b00u

    [<Literal>]
    let private Upgraded = 0b01u

    [<Literal>]
    let private Closing = 0b10u

    [<Literal>]
    let private Gone = 0b11u

    [<Literal>]
    let private Served = 0b100u

    [<Literal>]
    let private Retiring = 0b1000u

    [<Literal>]
    let private Last = 0b1_0000u

    [<Literal>]
    let private WasReset = 0b10_0000u

    [<Literal>]
    let private One = 0b100_0000u

    [<Literal>]
    let private Full = 0xFFFFFFC0u

    /// A connection that was just accepted.
    let initial = Connection 0u

    /// How many requests are in flight.
    let inFlight (Connection w) = int (w >>> 6)

    /// Whether its next response head must carry the notice.
    let mustTell (Connection w) = w &&& (Tenure ||| Retiring) = Retiring

    /// Whether we are leaving, as far as this connection is concerned.
    let isRetiring (Connection w) = w &&& Retiring <> 0u

    /// Whether it is to be asked to close and was not told yet, though something of it is in flight that can tell: whoever put
    /// the notice off asks this when its moment has come.
    let awaitsNotice (Connection w) =
        w &&& (Tenure ||| Retiring) = (Upgraded ||| Retiring)
        || w &&& (Tenure ||| Retiring ||| Last) = Retiring && w >= One

    /// Whether a connection is kept behind the response whose client asked for that, where nothing but the close tells him that we are
    /// leaving (FastCGI). So one that is leaving, or that was closed meanwhile, is not kept, whatever he asked for.
    let isKept (asked: bool) (Connection w) = asked && w &&& (Tenure ||| Retiring) = Open

    /// Whether the transport is gone, or somebody else's.
    let isGone (Connection w) = w &&& Tenure = Gone

    /// Whether it is somebody else's, who may use it for as long as he likes.
    let isDisowned (Connection w) = w = (Gone ||| Served)

    /// Whether somebody is at work on it, or has it for himself: a drain waits for whoever is. Not for what came too late for the close.
    let isInUse (Connection w) = w &&& Tenure = Upgraded || (w &&& Tenure = Open && w >= One)

    /// Whether a request may be found on it: one in flight, also one that was faster than the close, or the one that it was upgraded by.
    let holdsRequest (Connection w) = w >= One || w &&& Tenure = Upgraded

    /// Whether it was closed without a word to its client, and nobody is at work on it: a request that comes now is too late. Where the way in
    /// can be shut by itself it is shut then, so that he hears of that as he sends; what came before is served. Whoever was told sends no more, and
    /// behind a response that was under way at the close nothing more is read.
    let isClosedUntold (Connection w) = w &&& (Tenure ||| Last) = Closing && w < One

    /// Whether bytes that come are worked on. From one that we closed they are dropped, for nobody would wait for the work.
    let isHeard (Connection w as c) = w &&& Closing = 0u || isDisowned c

    /// What it is doing.
    let phase (Connection w) =
        match w &&& Tenure with
        | Open when w >= One -> Active
        | Open when w &&& Served <> 0u -> Idle
        | Open -> New
        | Upgraded -> Hijacked
        | _ -> Closed

    // In Begin and End the first branch is the one of normal life.
    [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
    let private next (event: ConnectionEvent) w : struct (uint * ConnectionEffect) =
        match event with
        | Begin ->
            if w &&& (Tenure ||| Retiring) = Open && w < Full then
                struct ((w ||| Served) + One, (if w < One then BecameActive else Nothing))
            elif w >= Full || w &&& Tenure = Upgraded || w &&& Tenure = Gone then
                struct (w, Nothing)
            elif w &&& Tenure = Closing then
                // A request that was faster than the close: it is counted, so that nobody cuts it off.
                struct (w + One, Nothing)
            else
                struct ((w ||| Served) + One, (if w &&& Last = 0u then AskToClose else Nothing))
        | End ->
            if w &&& (Tenure ||| Last) = Open && w >= One then
                struct (w - One, (if w < 2u * One then BecameIdle else Nothing))
            elif w < One || w &&& Tenure = Upgraded || w &&& Tenure = Gone then
                struct (w, Nothing)
            elif w &&& Tenure = Closing || w >= 2u * One then
                struct (w - One, Nothing)
            else
                struct ((w - One) ||| Closing, Close)
        | Tell ->
            // Whoever tells is at work on the connection: the notice rides on something that is in flight.
            if w &&& Tenure <> Open || w < One then struct (w, Nothing)
            else struct (w ||| Retiring ||| Last, Nothing)
        | MarkInUse ->
            if w &&& Tenure <> Open || w >= One then struct (w, Nothing)
            else struct ((w ||| Served) + One, BecameActive)
        | MarkIdle ->
            if w &&& Tenure <> Open || w < One then
                struct (w, Nothing)
            elif w &&& Retiring <> 0u then
                // A raw peer cannot be told; whoever marks it idle says that nothing more is expected.
                struct ((w &&& (One - 1u)) ||| Closing, Close)
            else
                struct (w &&& (One - 1u), BecameIdle)
        | Hijack ->
            if w &&& Tenure <> Open then struct (w, Nothing)
            // Its last head was `101`: a notice meant for a response did not reach whoever speaks from now on.
            else
                struct ((w &&& (Served ||| Retiring)) ||| Upgraded,
                        (if w &&& Retiring = 0u then BecameHijacked else AskToClose))
        | Retire ->
            if w &&& Retiring <> 0u || w &&& Closing <> 0u then struct (w, Nothing)
            else struct (w ||| Retiring, (if w >= One || w &&& Tenure = Upgraded then AskToClose else Nothing))
        | Reap ->
            if w &&& Tenure <> Open then struct (w, Nothing)
            elif w < One then struct (w ||| Retiring ||| Closing, Close)
            else struct (w ||| Retiring ||| Last, (if w &&& Retiring = 0u then AskToClose else Nothing))
        | Shed ->
            // Whoever began to work at this very moment stays, and hears nothing of it.
            if w &&& (Tenure ||| Full) <> Open then struct (w, Nothing)
            else struct (w ||| Closing ||| Retiring, Close)
        | Abort ->
            if w &&& Tenure = Gone || w &&& WasReset <> 0u then struct (w, Nothing)
            else struct ((w &&& ~~~Tenure) ||| Retiring ||| Closing ||| WasReset, Reset)
        | Disown ->
            if w &&& Closing <> 0u then struct (w, Nothing) else struct (Gone ||| Served, LeaveGate)
        | Ended ->
            if w &&& Tenure = Gone then struct (w, Nothing) else struct (Gone, LeaveGate)

    // Inlined where it is called: with the event known there, only its own branch is left. The connection is made here and not in each
    // branch, where the compiler calls what makes it when it believes that the branch is seldom taken.
    /// What an event makes of a connection, and what must be done about it.
    [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
    let step (event: ConnectionEvent) (c: Connection) : struct (Connection * ConnectionEffect) =
        let (Connection w) = c
        let struct (word, effect) = next event w
        struct (Connection word, effect)

    /// Whether a server that goes on may shed it, which was silent for `quietFor`. `unread`: bytes of its client's wait to be
    /// read, so somebody is about to work on it.
    let mayShed (least: TimeSpan) (quietFor: TimeSpan) unread c =
        match phase c with
        | New
        | Idle -> not unread && quietFor.Ticks >= least.Ticks
        | Active
        | Hijacked
        | Closed -> false

    // Ticks are compared, because to compare time spans boxes them, and a sweep asks about every connection.
    let internal longer (a: TimeSpan) (b: TimeSpan) = if a.Ticks >= b.Ticks then a else b

    /// How soon a sweep that found something to do comes back to see what became of it. No sweep follows another sooner.
    let sweepInterval = TimeSpan.FromMilliseconds 50L

    /// When the next sweep comes, if one of those whom this one looked at wants the next look so soon.
    let nextSweepIn soonest = longer soonest sweepInterval

    /// What a connection that was closed as quiet gets to end by itself. Most are gone in a moment, but thousands take
    /// their time, and to look after each of them would only cost more of it.
    let closeTime = TimeSpan.FromMilliseconds 100L

    /// What a sweep does with a connection that was silent in both directions for `quietFor`, and when it must look
    /// again at the latest. `pending`: bytes still wait to be sent to the client.
    let judge (quietPeriod: TimeSpan) (quietFor: TimeSpan) pending (Connection w as c) : struct (Verdict * TimeSpan) =
        let quiet = quietFor.Ticks >= quietPeriod.Ticks
        match phase c with
        | New
        | Idle ->
            if not quiet then struct (LeaveAlone, quietPeriod - quietFor)
            elif w &&& Retiring = 0u then struct (RetireFirst, sweepInterval)
            else struct (ReapNow, closeTime)
        | Active ->
            // Without a quiet period nobody waits to see whether the client could be told.
            if quietPeriod.Ticks <= 0L && w &&& Last = 0u then struct (ReapNow, sweepInterval)
            else struct (LeaveAlone, quietPeriod)
        | Hijacked -> struct (LeaveAlone, quietPeriod)
        | Closed ->
            // Whoever closed after its work ends by itself, and its answer may still be on the way to the kernel. Stuck
            // are those who were closed while they owed us bytes: half a request head, half a handshake.
            let floor = longer quietPeriod sweepInterval
            if isGone c || pending || w >= One || w &&& Last <> 0u then struct (LeaveAlone, quietPeriod)
            elif quietFor.Ticks >= floor.Ticks then struct (Hasten, sweepInterval)
            else struct (LeaveAlone, floor - quietFor)


/// One request in flight during the drain: how long it is waited for.
module Request =
    /// Whether it is anything that keeps a server busy.
    let isCounted policy =
        match policy with
        | NotCounted -> false
        | MustFinish | Within _ | ToldOnly | AbortAtOnce -> true

    /// Whether it must finish, so that those who were only told have time as well. Work that is no request always must.
    let mustFinish (drainingFor: TimeSpan) policy =
        match policy with
        | MustFinish -> true
        | Within limit -> drainingFor.Ticks < limit.Ticks
        | ToldOnly | AbortAtOnce | NotCounted -> false

    /// What a sweep does with a request that is so old, and when it must look again at the latest. `drainingFor`: since the
    /// drain began. `anybodyMust`: somebody on the whole server must finish.
    let judge (quietPeriod: TimeSpan) (drainingFor: TimeSpan) (age: TimeSpan) anybodyMust policy : struct (RequestVerdict * TimeSpan) =
        let told (least: TimeSpan) =
            // Whoever came when the drain was under way has heard of it no longer than it is here.
            let heldFor = if age.Ticks < drainingFor.Ticks then age else drainingFor
            if heldFor.Ticks < least.Ticks then struct (WaitFor, least - heldFor)
            elif anybodyMust then struct (WaitFor, Connection.sweepInterval)
            else struct (CutOff, Connection.closeTime)
        match policy with
        | MustFinish -> struct (WaitFor, quietPeriod)
        | Within limit when drainingFor.Ticks < limit.Ticks -> struct (WaitFor, limit - drainingFor)
        | Within _
        | AbortAtOnce -> struct (CutOff, Connection.closeTime)
        | ToldOnly -> told quietPeriod
        | NotCounted -> told Connection.sweepInterval

    /// What a sweep does with a request that was cut off so long ago and has not ended.
    let judgeCutOff (cutOffFor: TimeSpan) : struct (RequestVerdict * TimeSpan) =
        if cutOffFor.Ticks < Connection.closeTime.Ticks then struct (WaitFor, Connection.closeTime - cutOffFor)
        else struct (GiveUp, Connection.closeTime)

    /// What a sweep does with a connection of many streams on which requests were given up. Those no longer count as in
    /// flight, so it closes after its work; but they keep it from ending by itself. `quietFor` and `pending` as above.
    let judgeRest (quietPeriod: TimeSpan) (quietFor: TimeSpan) pending connection : struct (RequestVerdict * TimeSpan) =
        let floor = Connection.longer quietPeriod Connection.sweepInterval
        // The last answer may still be on its way to the kernel, and the last GOAWAY to the client.
        if Connection.phase connection <> Closed || Connection.inFlight connection > 0 then struct (WaitFor, floor)
        elif pending then struct (WaitFor, floor)
        elif quietFor.Ticks < floor.Ticks then struct (WaitFor, floor - quietFor)
        else struct (GiveUp, Connection.closeTime)


/// What keeps a server from being idle. Nobody counts it: connections are asked when the idle limit may have passed.
module Use =
    /// Whether a phase alone says that a connection is busy.
    let isBusyPhase hijackedIsBusy phase =
        match phase with
        | New
        | Active -> true
        | Hijacked -> hijackedIsBusy
        | Idle
        | Closed -> false

    /// What an edge adds to the balance of a connection that is heard of by its edges alone. From the first to the last, in any order, they add up to one
    /// while it is busy, and in the end to nothing. No edge says that somebody is new, so the new are not busy here.
    let edge hijackedIsBusy before after =
        let weight phase = if phase <> New && isBusyPhase hijackedIsBusy phase then 1 else 0
        weight after - weight before

    /// Whether a connection is being used. `counts`: so does a request in flight, or the one that it was upgraded by; or it is
    /// one without requests. Who has asked for nothing yet uses nothing: a probe of the bare connection is no use.
    let isUse hijackedIsBusy counts connection =
        match Connection.phase connection with
        | New
        | Idle -> false
        | Active -> counts
        | Hijacked -> counts && hijackedIsBusy
        // A request that was faster than the close.
        | Closed -> counts && Connection.inFlight connection > 0

    /// Whether a connection keeps the server from being idle: it is being used, or may be at any moment.
    let isBusy hijackedIsBusy counts connection =
        match Connection.phase connection with
        | New -> true
        | Active
        | Idle
        | Hijacked
        | Closed -> isUse hijackedIsBusy counts connection

    /// Whether a use may end with an event. All others begin something, or only say what is to come.
    let mayEnd event =
        match event with
        | End
        | MarkIdle
        | Hijack
        | Abort
        | Disown
        | Ended -> true
        | Begin
        | Tell
        | MarkInUse
        | Retire
        | Reap
        | Shed -> false

    /// Whether a request counts. `isTunnel`: it is one that upgraded a stream of its connection, which goes on without it.
    let counts hijackedIsBusy isTunnel policy = Request.isCounted policy && (hijackedIsBusy || not isTunnel)

    /// For how long nothing was used.
    let quietFor (lastUse: Instant) (now: Instant) =
        // Whoever used it last may have stopped after the look at the clock.
        if lastUse > now then TimeSpan.Zero else now - lastUse


/// When those are told who stay long on one connection. They come back at once, so whoever tells all of them in one moment
/// sends them to the others in one moment. A client that asks for one thing at a time hears it with its next response: these
/// are spread by themselves.
module Spread =
    /// Of 2^64, the part by which each goes on from the one before: the golden ratio's, which of all numbers is the worst to
    /// come back near to. However many there are, each stretch of time gets its share of them: up to 10,000 it is never off
    /// by more than 5, and no two are closer than 2/5 of an even distance, nor is any gap longer than twice that.
    [<Literal>]
    let private Stride = 0x9E3779B97F4A7C15UL

    /// Whether the notice is put off to a moment of the connection's own. `multiplexed`: it carries many requests at a time.
    let isSpread multiplexed phase =
        match phase with
        | Hijacked -> true
        | New
        | Active
        | Idle -> multiplexed
        | Closed -> false

    /// How long after its notice was asked for the `ordinal`-th connection is told, when `left` is how long that may take. Never
    /// as long as that, and at once when nothing is left. `seed` is where the first one stands, so that servers that leave
    /// together do not tell their clients together.
    let after (seed: uint64) (ordinal: int64) (left: TimeSpan) =
        if left.Ticks <= 0L then TimeSpan.Zero
        else
            // Of a number with 64 places after the point the whole part is left.
            let place = seed + uint64 ordinal * Stride
            TimeSpan(int64 ((UInt128.op_Implicit (uint64 left.Ticks) * UInt128.op_Implicit place) >>> 64))


/// Who is inside, and whether all have left.
module Gate =
    // bits 0-1 stance (in this order: never back, but from announced), 2-63 how many are inside
    [<Literal>]
    let private Stance = 0b11UL

    [<Literal>]
    let private Open = 0b00UL

    [<Literal>]
    let private Announced = 0b01UL

    [<Literal>]
    let private Draining = 0b10UL

    [<Literal>]
    let private Closed = 0b11UL

    [<Literal>]
    let private One = 0b100UL

    [<Literal>]
    let private Full = 0xFFFF_FFFF_FFFF_FFFCUL

    /// Open, and nobody inside.
    let initial = Gate 0UL

    /// How many are inside.
    let inside (Gate w) = int64 (w >>> 2)

    /// Shut, and nobody inside: the end.
    let isSealed (Gate w) = w = Closed

    /// What an event makes of the gate, and what must be done about it.
    let step (event: GateEvent) (Gate w as g) : struct (Gate * GateEffect) =
        match event with
        | Enter ->
            if w &&& Stance = Closed || w >= Full then struct (g, Refuse)
            elif w &&& Stance = Open then struct (Gate(w + One), Admit)
            else struct (Gate(w + One), AdmitRetiring)
        | Leave ->
            if w < One then struct (g, NoChange)
            elif w = (One ||| Draining) || w = (One ||| Closed) then struct (Gate Closed, Emptied)
            else struct (Gate(w - One), NoChange)
        | Announce ->
            if w &&& Stance = Open then struct (Gate(w ||| Announced), NoChange) else struct (g, NoChange)
        | Withdraw ->
            if w &&& Stance = Announced then struct (Gate(w &&& ~~~Stance), NoChange) else struct (g, NoChange)
        | Drain ->
            if w &&& Stance >= Draining then struct (g, NoChange)
            elif w < One then struct (Gate Closed, Emptied)
            else struct (Gate((w &&& ~~~Stance) ||| Draining), NoChange)
        | Shut ->
            if w &&& Stance = Closed then struct (g, NoChange)
            elif w < One then struct (Gate Closed, Emptied)
            else struct (Gate(w ||| Closed), NoChange)


/// The hooks of a policy, and what waits for what.
module HookGraph =
    /// Those a hook waits for. Only earlier ones count: in an arranged policy these are all, and in no other one
    /// somebody waits for ever.
    let predecessors (hooks: Hook[]) index =
        [ for i in 0 .. index - 1 do
              if hooks[i].Stage = hooks[index].Stage then
                  match hooks[index].WaitsFor with
                  | ValueNone -> if hooks[i].WaitsFor.IsNone then i
                  | ValueSome names -> if List.contains hooks[i].Name names then i ]

    let private doubles (hooks: Hook list) =
        hooks |> List.countBy _.Name |> List.choose (fun (name, times) -> if times > 1 then Some(DoubleName name) else None)

    let private names hook = hook.WaitsFor |> ValueOption.defaultValue []

    let private strangers (hooks: Hook list) =
        [ for hook in hooks do
              for name in names hook do
                  match hooks |> List.tryFind (fun other -> other.Name = name) with
                  | None -> UnknownName(hook.Name, name)
                  | Some other -> if other.Stage <> hook.Stage then OtherStage(hook.Name, name) ]

    /// Each of these waits for another one of them: follows one to the next until it comes round.
    let private cycle (hooks: Hook list) =
        let next name =
            let hook = hooks |> List.find (fun hook -> hook.Name = name)
            names hook |> List.find (fun after -> hooks |> List.exists (fun other -> other.Name = after))
        let rec follow name seen =
            match List.tryFindIndex ((=) name) seen with
            | Some i -> List.rev (List.take (i + 1) seen)
            | None -> follow (next name) (name :: seen)
        Cycle(follow hooks.Head.Name [])

    /// The hooks in their own order, but for those that wait for later ones: they move behind these. Or what is wrong.
    let arrange (hooks: Hook list) =
        let rec place placed left =
            let isFree hook = names hook |> List.forall (fun name -> left |> List.forall (fun other -> other.Name <> name))
            match left, List.tryFind isFree left with
            | [], _ -> Ok(Array.ofList (List.rev placed))
            | _, Some hook -> place (hook :: placed) (List.filter (fun other -> other.Name <> hook.Name) left)
            | _, None -> Error [ cycle left ]
        match doubles hooks @ strangers hooks with
        | [] -> place [] hooks
        | faults -> Error faults

    /// The hooks of a stage, one waiting for the other, that take the longest when each takes its whole time.
    let longestChain (hooks: Hook[]) stage =
        // The chain that ends with a hook, and how long it takes.
        let upTo = Array.create hooks.Length struct ([], 0L)
        let longer struct (chain, length) struct (other, itsLength) =
            if length > itsLength then struct (chain, length) else struct (other, itsLength)
        let longest indices = indices |> List.fold (fun longest i -> longer upTo[i] longest) struct ([], 0L)
        for i in 0 .. hooks.Length - 1 do
            let struct (chain, length) = longest (predecessors hooks i)
            upTo[i] <- struct (i :: chain, length + hooks[i].TimeLimit.Ticks)
        let struct (chain, _) = longest [ for i in 0 .. hooks.Length - 1 do if hooks[i].Stage = stage then i ]
        List.rev chain

    /// How long the hooks of a stage take at most.
    let longest (hooks: Hook[]) stage = TimeSpan(longestChain hooks stage |> List.sumBy (fun i -> hooks[i].TimeLimit.Ticks))

    /// None of a stage has begun.
    let internal untouched (hooks: Hook[]) stage =
        { Running = []; Waiting = [ for i in 0 .. hooks.Length - 1 do if hooks[i].Stage = stage then i ] }

    /// Begins whatever waits for nobody any more, and says which these are.
    let internal advance (hooks: Hook[]) (now: Instant) progress =
        let isOver i = not (List.contains i progress.Waiting) && progress.Running |> List.forall (fun run -> run.Index <> i)
        let free = progress.Waiting |> List.filter (predecessors hooks >> List.forall isOver)
        let begun = [ for i in free -> { Index = i; Due = now + hooks[i].TimeLimit } ]
        { Running = List.sortBy _.Index (progress.Running @ begun)
          Waiting = progress.Waiting |> List.filter (fun i -> not (List.contains i free)) },
        free


/// The way out, from the trigger to the exit code.
module Lifecycle =
    let private reached (due: Instant) (now: Instant) = now >= due

    /// A server that runs.
    let initial policy (now: Instant) =
        Running(Absent, policy.IdleLimit |> ValueOption.map (fun limit -> now + limit))

    /// The name of the stage that a server is in.
    let stage state =
        match state with
        | Running _ -> Stage.Running
        | IdleExpired -> Stage.IdleExpired
        | Drilling _ -> Stage.Drilling
        | Draining(_, RunningBeforeHooks _) -> Stage.BeforeDrainHooks
        | Draining(_, LameDuck _) -> Stage.LameDuck
        | Draining(_, ClosingListeners _) -> Stage.ClosingListeners
        | Draining(_, AwaitingEmptied _) -> Stage.Draining
        | Hooks _ -> Stage.AfterDrainHooks
        | Exited _ -> Stage.Exited

    /// When what is left is cut off: set on the way out, where the policy has a grace period.
    let deadline state =
        match state with
        | Draining(s, _) -> s.Deadline
        | Running _
        | IdleExpired
        | Drilling _
        | Hooks _
        | Exited _ -> ValueNone

    /// Until when everybody is to be told, where that takes its time: the end of the lame duck, or of the grace period if
    /// that is sooner.
    let noticeEnd state =
        match state with
        | Draining({ Deadline = ValueSome deadline }, LameDuck until) -> ValueSome(min until deadline)
        | Drilling(until, _)
        | Draining(_, LameDuck until) -> ValueSome until
        | Draining(_, (RunningBeforeHooks _ | ClosingListeners _ | AwaitingEmptied _))
        | Running _
        | IdleExpired
        | Hooks _
        | Exited _ -> ValueNone

    /// Whether it is on the way out and may still come back.
    let mayResume state =
        match state with
        | Draining({ Return = MayResume _ }, _) -> true
        | Draining({ Return = NoReturn }, _)
        | Running _
        | IdleExpired
        | Drilling _
        | Hooks _
        | Exited _ -> false

    /// When it must be woken at the latest.
    let nextDue state =
        let sooner a b =
            match a, b with
            | ValueSome a, ValueSome b -> ValueSome(min a b)
            | ValueSome _, ValueNone -> a
            | ValueNone, b -> b
        let soonest progress = progress.Running |> List.fold (fun due run -> sooner due (ValueSome run.Due)) ValueNone
        match state with
        | Running(Absent, idle) -> idle
        | Running(Starting due, idle) -> sooner (ValueSome due) idle
        | IdleExpired -> ValueNone
        | Drilling(until, _) -> ValueSome until
        | Draining(s, RunningBeforeHooks progress) -> sooner s.Deadline (soonest progress)
        | Draining(s, LameDuck until) -> sooner s.Deadline (ValueSome until)
        | Draining(s, (ClosingListeners sweep | AwaitingEmptied sweep)) -> sooner s.Deadline sweep
        | Hooks(_, progress) -> soonest progress
        | Exited _ -> ValueNone

    /// What the exit code says, the gravest first: 3 a signal forced, 2 time ran out and work was cut off,
    /// 1 a hook or a component failed, 0 clean.
    let exitCode troubles =
        let gravity trouble =
            match trouble with
            | Forced(SecondSignal | StopNow) -> 3
            | Forced(GracePeriodOver | HostTimedOut) -> 2
            | Forced HookFailed
            | HookTrouble _
            | ComponentTrouble _ -> 1
        troubles |> List.fold (fun code trouble -> max code (gravity trouble)) 0

    /// The policy with one more hook, as long as its stage has not begun.
    let addHook policy hook state =
        let begun =
            match hook.Stage, state with
            | _, (Running _ | IdleExpired | Drilling _)
            | AfterDrain, Draining _ -> false
            | BeforeDrain, Draining _
            | _, (Hooks _ | Exited _) -> true
        if begun then Error StageBegun
        else
            // It is the last, and waits for those that are there: nothing that was arranged moves.
            match HookGraph.arrange [ yield! policy.Hooks; hook ] with
            | Ok hooks -> Ok { policy with Hooks = hooks }
            | Error faults -> Error(Faulty faults)

    let private trouble t (s: Shutdown) = { s with Troubles = t :: s.Troubles }

    let private once t (s: Shutdown) = if List.contains t s.Troubles then s else trouble t s

    let private forced cause s = once (Forced cause) s

    let private hookTrouble policy result s index =
        match result with
        | Succeeded -> s
        | Failed _ | TimedOut | Cancelled | Skipped -> trouble (HookTrouble(policy.Hooks[index].Name, result)) s

    /// From here on there is no way back, and the host is told so: once.
    let private commit (s: Shutdown) =
        match s.Return with
        | MayResume _ -> { s with Return = NoReturn }, [ StopHost ]
        | NoReturn -> s, []

    let private start policy now progress =
        let progress, begun = HookGraph.advance policy.Hooks now progress
        progress, [ for i in begun -> StartHook i ]

    let private cancel progress = [ for run in progress.Running -> CancelHook run.Index ]

    let private afterHooks policy now s progress =
        match start policy now progress with
        | { Running = [] }, _ -> Exited s, [ Exit(exitCode s.Troubles) ]
        | progress, starts -> Hooks(s, progress), starts

    let private emptied policy now s = afterHooks policy now s (HookGraph.untouched policy.Hooks AfterDrain)

    let private nextSweep (now: Instant) lookAgain = ValueSome(now + Connection.nextSweepIn lookAgain)

    let private closeListeners now s =
        let s, told = commit s
        // Listeners may take their time to settle. Whoever is quiet has nothing to wait for meanwhile.
        Draining(s, ClosingListeners(nextSweep now TimeSpan.Zero)), told @ [ CloseListeners(s.Trigger = HandedOver) ]

    let private lameDuck policy (now: Instant) s =
        match s.Trigger with
        // A successor already accepts, or there is nobody to warn.
        | HandedOver | IdledOut | ConnectionEnded -> closeListeners now s
        | Signal _ | Requested | HostStopped | ComponentFailed _ ->
            if policy.LameDuck <= TimeSpan.Zero then closeListeners now s
            else Draining(s, LameDuck(now + policy.LameDuck)), [ AnnounceLeaving ]

    let private beforeHooks policy now s progress =
        match start policy now progress with
        | { Running = [] }, _ -> lameDuck policy now s
        | progress, starts -> Draining(s, RunningBeforeHooks progress), starts

    /// What whoever joins a stop adds to it: a kick, a failure that the exit code must tell, and that it is not the
    /// application's alone any more.
    let private join now trigger (s: Shutdown) =
        match trigger with
        | Requested -> s, []
        | Signal _ -> commit { s with LastKick = ValueSome now }
        | ComponentFailed(name, message) -> commit (once (ComponentTrouble(name, message)) s)
        | HostStopped | IdledOut | HandedOver | ConnectionEnded -> commit s

    let private beginShutdown policy (now: Instant) trigger idleCheck =
        let s, told =
            { Trigger = trigger
              Return = MayResume idleCheck
              LastKick = ValueNone
              Deadline = policy.GracePeriod |> ValueOption.map (fun grace -> now + grace)
              Troubles = [] }
            |> join now trigger
        let next, effects = beforeHooks policy now s (HookGraph.untouched policy.Hooks BeforeDrain)
        // After a hand-over the address is as ready as ever: the successor answers there.
        let unready = if trigger = HandedOver then [] else [ FailReadiness ]
        next, unready @ FireStopping :: told @ effects

    let private force policy now cause stage s =
        let s = forced cause s
        let s, closing =
            match stage with
            | RunningBeforeHooks progress ->
                let running = [ for run in progress.Running -> run.Index ]
                let s = running |> List.fold (hookTrouble policy Cancelled) s
                progress.Waiting |> List.fold (hookTrouble policy Skipped) s, cancel progress @ [ CloseListeners(s.Trigger = HandedOver) ]
            | LameDuck _ -> s, [ CloseListeners(s.Trigger = HandedOver) ]
            | ClosingListeners _ | AwaitingEmptied _ -> s, []
        // Nobody is waited for any more: whoever still comes finds the gate shut.
        let s, told = commit s
        let next, effects = emptied policy now s
        next, told @ closing @ AbortConnections :: effects

    let private kicks policy (now: Instant) trigger (s: Shutdown) =
        match trigger, s.LastKick with
        | Signal _, ValueSome last -> policy.DoubleKick > TimeSpan.Zero && now - last <= policy.DoubleKick
        | Signal _, ValueNone
        | (Requested | HostStopped | IdledOut | HandedOver | ConnectionEnded | ComponentFailed _), _ -> false

    let private signalledAgain policy now trigger (s: Shutdown) =
        let cut = kicks policy now trigger s
        let s = fst (join now trigger s)
        if cut then (let s = forced SecondSignal s in Exited s, [ Terminate(exitCode s.Troubles) ]) else Exited s, []

    /// The after-drain hooks that run are cut off; those that wait for them begin.
    let private cutHooks policy now progress s =
        let s = [ for run in progress.Running -> run.Index ] |> List.fold (hookTrouble policy Cancelled) s
        let next, effects = afterHooks policy now s { progress with Running = [] }
        next, cancel progress @ effects

    /// Whether hooks that ended in the same way cut their stage short.
    let private cuts policy result over =
        match result with
        | Failed _ | TimedOut -> over |> List.exists (fun i -> policy.Hooks[i].OnFailure = Force)
        | Succeeded | Cancelled | Skipped -> false

    let private without over progress =
        { progress with Running = progress.Running |> List.filter (fun run -> not (List.contains run.Index over)) }

    let private beforeHooksOver policy now over result progress s =
        let left = without over progress
        let s' = over |> List.fold (hookTrouble policy result) s
        if cuts policy result over then force policy now HookFailed (RunningBeforeHooks left) s'
        else beforeHooks policy now s' left

    let private afterHooksOver policy now over result progress s =
        let left = without over progress
        let s' = over |> List.fold (hookTrouble policy result) s
        if cuts policy result over then cutHooks policy now left (forced HookFailed s')
        else afterHooks policy now s' left

    let private isRunning index progress = progress.Running |> List.exists (fun run -> run.Index = index)

    let private overdue now progress = [ for run in progress.Running do if reached run.Due now then run.Index ]

    let private giveUp over (next, effects) = next, [ for i in over -> CancelHook i ] @ effects

    let private woke policy now state =
        match state with
        | Running(Starting due, idle) when reached due now -> Running(Absent, idle), [ AbandonSuccessor ]
        | Running(successor, ValueSome due) when reached due now -> Running(successor, ValueNone), [ SampleIdle ]
        | Drilling(until, idle) when reached until now -> Running(Absent, idle), [ RestoreReadiness; WithdrawNotice ]
        | Draining(s, stage) when s.Deadline |> ValueOption.exists (fun deadline -> reached deadline now) ->
            force policy now GracePeriodOver stage s
        | Draining(s, RunningBeforeHooks progress) when not (overdue now progress).IsEmpty ->
            let over = overdue now progress
            beforeHooksOver policy now over TimedOut progress s |> giveUp over
        | Draining(s, LameDuck until) when reached until now -> closeListeners now s
        | Draining(s, ClosingListeners(ValueSome due)) when reached due now ->
            Draining(s, ClosingListeners ValueNone), [ SweepConnections ]
        | Draining(s, AwaitingEmptied(ValueSome due)) when reached due now ->
            Draining(s, AwaitingEmptied ValueNone), [ SweepConnections ]
        | Hooks(s, progress) when not (overdue now progress).IsEmpty ->
            let over = overdue now progress
            afterHooksOver policy now over TimedOut progress s |> giveUp over
        | Running _ | IdleExpired | Drilling _ | Draining _ | Hooks _ | Exited _ -> state, []

    let private transition policy (now: Instant) event state : Lifecycle * Effect list =
        match state, event with
        // Asked to stop.
        | Running(Absent, idle), StopRequested trigger -> beginShutdown policy now trigger idle
        | Running(Starting _, idle), StopRequested trigger ->
            let next, effects = beginShutdown policy now trigger idle
            next, AbandonSuccessor :: effects
        | IdleExpired, StopRequested trigger ->
            // Whoever is let in until the listeners close must be accepted by somebody. Where they close at once nobody is.
            match beginShutdown policy now trigger ValueNone with
            | Draining(_, ClosingListeners _), _ as closing -> closing
            | next, effects -> next, ResumeAccepting :: effects
        | Drilling(_, idle), StopRequested trigger ->
            // It is unready already.
            let next, effects = beginShutdown policy now trigger idle
            next, List.filter ((<>) FailReadiness) effects
        | Draining(s, stage), StopRequested trigger ->
            let cut = kicks policy now trigger s
            let s, told = join now trigger s
            let next, effects = if cut then force policy now SecondSignal stage s else Draining(s, stage), []
            next, told @ effects
        | Hooks(s, progress), StopRequested trigger ->
            let cut = kicks policy now trigger s
            let s = fst (join now trigger s)
            if cut then cutHooks policy now progress (forced SecondSignal s) else Hooks(s, progress), []
        | Draining(s, stage), ForceRequested cause -> force policy now cause stage s
        | Exited s, StopRequested(Signal _ as trigger) -> signalledAgain policy now trigger s
        // Everybody has left or was cut off, and the hooks run whatever happened: there is nothing left to hurry.
        | Hooks _, ForceRequested StopNow -> state, []
        | Hooks(s, progress), ForceRequested cause -> cutHooks policy now progress (forced cause s)
        // And back.
        | Draining({ Return = MayResume idle }, stage), ResumeRequested ->
            let cancelled = (match stage with RunningBeforeHooks progress -> cancel progress | _ -> [])
            Running(Absent, idle), cancelled @ [ RestoreReadiness; RenewStopping; WithdrawNotice ]
        | Drilling(_, idle), ResumeRequested -> Running(Absent, idle), [ RestoreReadiness; WithdrawNotice ]
        | (Running _ | IdleExpired | Draining _ | Hooks _ | Exited _), ResumeRequested -> state, [ RefuseResume ]
        | Running(Absent, idle), DrillRequested lameDuck ->
            Drilling(now + lameDuck, idle), [ FailReadiness; AnnounceLeaving ]
        | (Running(Starting _, _) | IdleExpired | Drilling _ | Draining _ | Hooks _ | Exited _), DrillRequested _ ->
            state, [ RefuseDrill ]
        // Idle.
        | Running(successor, ValueNone), IdleSampled(busy, quietFor) ->
            match policy.IdleLimit, successor with
            | ValueSome limit, Absent when busy = 0 && quietFor >= limit -> IdleExpired, [ PauseAccepting; SampleIdle ]
            | ValueSome limit, (Absent | Starting _) ->
                let rest = if busy = 0 && quietFor < limit then limit - quietFor else limit
                Running(successor, ValueSome(now + rest)), []
            | ValueNone, _ -> state, []
        | IdleExpired, IdleSampled(busy, quietFor) ->
            match policy.IdleLimit with
            | ValueSome limit when busy > 0 || quietFor < limit ->
                Running(Absent, ValueSome(now + limit)), [ ResumeAccepting ]
            | ValueSome _ | ValueNone -> beginShutdown policy now IdledOut ValueNone
        // A sample that is out is answered meanwhile. Whoever comes back looks again, and until then there is no other.
        | Drilling(until, ValueNone), IdleSampled _ ->
            Drilling(until, policy.IdleLimit |> ValueOption.map (fun limit -> now + limit)), []
        | Draining({ Return = MayResume ValueNone } as s, stage), IdleSampled _ ->
            let idle = policy.IdleLimit |> ValueOption.map (fun limit -> now + limit)
            Draining({ s with Return = MayResume idle }, stage), []
        // Hand-over.
        | Running(Absent, idle), HandOverRequested ->
            Running(Starting(now + policy.SuccessorLimit), idle), [ StartSuccessor ]
        | IdleExpired, HandOverRequested ->
            // The second look is still out: until it is answered no other may begin, or one answer passes for the other.
            Running(Starting(now + policy.SuccessorLimit), ValueNone), [ ResumeAccepting; StartSuccessor ]
        | (Running(Starting _, _) | Drilling _ | Draining _ | Hooks _ | Exited _), HandOverRequested ->
            state, [ RefuseHandOver ]
        | Running(Starting _, _), SuccessorReady -> beginShutdown policy now HandedOver ValueNone
        | Running(Starting _, idle), SuccessorFailed _ -> Running(Absent, idle), []
        // The way out.
        | Draining(s, RunningBeforeHooks progress), HookFinished(index, result) when isRunning index progress ->
            beforeHooksOver policy now [ index ] result progress s
        | Draining(s, ClosingListeners ValueNone), ConnectionsSwept lookAgain ->
            Draining(s, ClosingListeners(nextSweep now lookAgain)), []
        | Draining(s, ClosingListeners(ValueSome _)), ListenersClosed ->
            Draining(s, AwaitingEmptied ValueNone), [ RetireConnections; SweepConnections ]
        | Draining(s, ClosingListeners ValueNone), ListenersClosed ->
            // One sweep at a time: the answer to the one that is out says when the next is due.
            Draining(s, AwaitingEmptied ValueNone), [ RetireConnections ]
        | Draining(s, AwaitingEmptied ValueNone), ConnectionsSwept lookAgain ->
            Draining(s, AwaitingEmptied(nextSweep now lookAgain)), []
        | Draining(s, AwaitingEmptied _), GateEmptied -> emptied policy now s
        | Hooks(s, progress), HookFinished(index, result) when isRunning index progress ->
            afterHooksOver policy now [ index ] result progress s
        | _, Woke -> woke policy now state
        // Late, repeated or impossible.
        | Exited _, (StopRequested _ | ForceRequested _ | IdleSampled _)
        | (Running _ | IdleExpired | Drilling _), ForceRequested _
        | (Running(_, ValueSome _) | Drilling(_, ValueSome _) | Draining _ | Hooks _), IdleSampled _
        | (Running(Absent, _) | IdleExpired | Drilling _ | Draining _ | Hooks _ | Exited _), (SuccessorReady | SuccessorFailed _)
        | (Running _ | IdleExpired | Drilling _ | Draining _ | Hooks _ | Exited _),
          (ListenersClosed | ConnectionsSwept _ | GateEmptied | HookFinished _) -> state, []

    /// What an event makes of a server, and what must be done about it, in this order.
    let step policy now event state : struct (Lifecycle * Effect list) =
        let next, effects = transition policy now event state
        match nextDue next with
        | ValueSome due -> struct (next, effects @ [ WakeAt due ])
        | ValueNone -> struct (next, effects)


/// A lifetime that ends when nothing was busy for its limit, also when nothing ever was.
module IdleLifetime =
    /// One that begins now.
    let initial limit (now: Instant) = IdleLifetime.Quiet(now + limit)

    /// Whether it has ended.
    let isOver state =
        match state with
        | IdleLifetime.Expired _
        | IdleLifetime.ParentCancelled -> true
        | IdleLifetime.Busy _
        | IdleLifetime.Quiet _ -> false

    /// When it must be woken at the latest.
    let nextDue state =
        match state with
        | IdleLifetime.Quiet due -> ValueSome due
        | IdleLifetime.Busy _
        | IdleLifetime.Expired _
        | IdleLifetime.ParentCancelled -> ValueNone

    /// What an event makes of it.
    let step limit (now: Instant) event state =
        match state, event with
        // Whoever comes when its time is over comes too late, however late the timer is.
        | IdleLifetime.Quiet due, _ when due <= now -> IdleLifetime.Expired due
        | IdleLifetime.Quiet _, IdleLifetimeEvent.BecameBusy -> IdleLifetime.Busy 1L
        | IdleLifetime.Busy many, IdleLifetimeEvent.BecameBusy -> IdleLifetime.Busy(many + 1L)
        | IdleLifetime.Busy many, IdleLifetimeEvent.BecameQuiet ->
            if many > 1L then IdleLifetime.Busy(many - 1L) else IdleLifetime.Quiet(now + limit)
        | (IdleLifetime.Quiet _ | IdleLifetime.Busy _), IdleLifetimeEvent.ParentCancelled -> IdleLifetime.ParentCancelled
        // Late, repeated or impossible.
        | IdleLifetime.Quiet _, (IdleLifetimeEvent.BecameQuiet | IdleLifetimeEvent.Woke)
        | IdleLifetime.Busy _, IdleLifetimeEvent.Woke
        | (IdleLifetime.Expired _ | IdleLifetime.ParentCancelled), _ -> state


/// Goes over the bytes of one direction of a WebSocket, however they are cut into reads and writes.
module FrameCursor =
    [<Literal>]
    let private Final = 0x80uy

    [<Literal>]
    let private Control = 0x08uy

    [<Literal>]
    let private Close = 0x08uy

    let private opcode first = first &&& 0x0Fuy

    let private isControl first = first &&& Control <> 0uy

    /// A WebSocket of which nothing was said.
    let initial =
        { Part = FramePart.Between; First = 0uy; IsMasked = false; Missing = 0UL; Length = 0UL; InMessage = false }

    /// Whether something may come here that is not part of what is being said: neither a frame nor a message is under way.
    let isBetweenMessages cursor =
        match cursor.Part with
        | FramePart.Between -> not cursor.InMessage
        | FramePart.Size | FramePart.LongSize | FramePart.MaskingKey | FramePart.Payload | FramePart.Garbled -> false

    /// Whether what was said makes no sense. Between two messages it is then never again.
    let internal isGarbled cursor =
        match cursor.Part with
        | FramePart.Garbled -> true
        | FramePart.Between | FramePart.Size | FramePart.LongSize | FramePart.MaskingKey | FramePart.Payload -> false

    /// Whether a frame has just ended.
    let hasEnded cursor =
        match cursor.Part with
        | FramePart.Between -> true
        | FramePart.Size | FramePart.LongSize | FramePart.MaskingKey | FramePart.Payload | FramePart.Garbled -> false

    /// Whether the frame that has just ended is a Close, after which nothing follows.
    let hasClosed cursor = hasEnded cursor && opcode cursor.First = Close

    let private garbled cursor = { cursor with Part = FramePart.Garbled }

    let private ended cursor =
        // Control frames may come between those of a message and do not end it.
        let inMessage = if isControl cursor.First then cursor.InMessage else cursor.First &&& Final = 0uy
        { cursor with Part = FramePart.Between; Missing = 0UL; InMessage = inMessage }

    let private payload cursor =
        if cursor.Length = 0UL then ended cursor else { cursor with Part = FramePart.Payload; Missing = cursor.Length }

    let private sized length cursor =
        // The highest bit of a length must be zero.
        if length > uint64 Int64.MaxValue then garbled cursor
        elif cursor.IsMasked then { cursor with Part = FramePart.MaskingKey; Missing = 4UL; Length = length }
        else payload { cursor with Length = length }

    let private longSize bytes cursor = { cursor with Part = FramePart.LongSize; Missing = bytes; Length = 0UL }

    let private first byte cursor =
        let makesSense =
            match opcode byte with
            // A message goes on, and only then; text and binary begin one.
            | 0x0uy -> cursor.InMessage
            | 0x1uy | 0x2uy -> not cursor.InMessage
            // Close, ping and pong are never in pieces.
            | 0x8uy | 0x9uy | 0xAuy -> byte &&& Final <> 0uy
            | _ -> false
        if makesSense then { cursor with Part = FramePart.Size; First = byte } else garbled cursor

    let private size byte cursor =
        let cursor = { cursor with IsMasked = byte &&& 0x80uy <> 0uy }
        match byte &&& 0x7Fuy with
        | 126uy | 127uy when isControl cursor.First -> garbled cursor
        | 126uy -> longSize 2UL cursor
        | 127uy -> longSize 8UL cursor
        | length -> sized (uint64 length) cursor

    let private header byte cursor =
        match cursor.Part with
        | FramePart.Between -> first byte cursor
        | FramePart.Size -> size byte cursor
        | FramePart.LongSize ->
            let length = cursor.Length <<< 8 ||| uint64 byte
            if cursor.Missing > 1UL then { cursor with Missing = cursor.Missing - 1UL; Length = length } else sized length cursor
        | FramePart.MaskingKey ->
            if cursor.Missing > 1UL then { cursor with Missing = cursor.Missing - 1UL } else payload cursor
        | FramePart.Payload
        | FramePart.Garbled -> cursor

    /// Goes on to the end of the frame, or of the bytes if that comes first. Says how many bytes that takes: at least one, if
    /// there is one. What is garbled has no end.
    let advance (bytes: ReadOnlySpan<byte>) (cursor: FrameCursor) : struct (int * FrameCursor) =
        let mutable at = 0
        let mutable now = cursor
        let mutable goOn = bytes.Length > 0
        while goOn do
            match now.Part with
            | FramePart.Garbled -> at <- bytes.Length
            | FramePart.Payload ->
                let some = min now.Missing (uint64 (bytes.Length - at))
                at <- at + int some
                now <- if some < now.Missing then { now with Missing = now.Missing - some } else ended now
            | FramePart.Between | FramePart.Size | FramePart.LongSize | FramePart.MaskingKey ->
                now <- header bytes[at] now
                at <- at + 1
            goOn <- at < bytes.Length && not (hasEnded now)
        struct (at, now)

    /// Goes over all of the bytes, and says whether one of the frames that end in them is a Close.
    let readAll (bytes: ReadOnlySpan<byte>) (cursor: FrameCursor) : struct (bool * FrameCursor) =
        let mutable at = 0
        let mutable now = cursor
        let mutable closed = false
        while at < bytes.Length do
            let struct (some, next) = advance (bytes.Slice at) now
            at <- at + some
            now <- next
            closed <- closed || hasClosed next
        struct (closed, now)


/// How a server that leaves says so in a WebSocket that it only carries: with a Close of its own, between two messages.
module WebSocket =
    /// One that was just accepted.
    let initial = { Written = FrameCursor.initial; Closing = NotBegun }

    /// How far the closing handshake is.
    let closing webSocket = webSocket.Closing

    /// Whether the drain closes it, by what its endpoint says of its requests. Who says that they must finish ends them by
    /// himself; without a word nobody expects the application to know that the server leaves.
    let isTold said =
        match said with
        | ValueSome MustFinish -> false
        | ValueSome(Within _ | ToldOnly | AbortAtOnce | NotCounted)
        | ValueNone -> true

    /// The server leaves: says whether its Close goes out now.
    let ask webSocket : struct (WebSocket * bool) =
        match webSocket.Closing with
        | NotBegun when FrameCursor.isBetweenMessages webSocket.Written -> struct ({ webSocket with Closing = Sent }, true)
        | NotBegun -> struct ({ webSocket with Closing = Due }, false)
        | Due | Sent | Answered | Theirs -> struct (webSocket, false)

    /// The application writes: says how many of the bytes go out, and whether our Close follows them. The others are dropped.
    let write (bytes: ReadOnlySpan<byte>) (webSocket: WebSocket) : struct (WebSocket * int * bool) =
        let mutable at = 0
        let mutable now = webSocket
        let mutable goOn = bytes.Length > 0
        while goOn do
            match now.Closing with
            | Sent | Answered -> goOn <- false
            | Theirs ->
                at <- bytes.Length
                goOn <- false
            | NotBegun | Due ->
                let struct (some, written) = FrameCursor.advance (bytes.Slice at) now.Written
                at <- at + some
                let closing =
                    if FrameCursor.hasClosed written then Theirs
                    elif now.Closing.IsDue && FrameCursor.isBetweenMessages written then Sent
                    else now.Closing
                now <- { Written = written; Closing = closing }
                goOn <- at < bytes.Length
        struct (now, at, webSocket.Closing.IsDue && now.Closing.IsSent)

    /// It is left to the application, which says goodbye in words of its own; or a write failed, so that nobody knows where
    /// it ended.
    let leaveAlone webSocket =
        match webSocket.Closing with
        | NotBegun | Due -> { webSocket with Closing = Theirs }
        | Sent | Answered | Theirs -> webSocket

    /// A Close of the peer's came: says whether it is the answer to ours. Else the application answers it.
    let closedByPeer webSocket : struct (WebSocket * bool) =
        match webSocket.Closing with
        | NotBegun | Due -> struct ({ webSocket with Closing = Theirs }, false)
        | Sent -> struct ({ webSocket with Closing = Answered }, true)
        | Answered | Theirs -> struct (webSocket, false)

    /// How long an application may go on writing into a WebSocket that we closed, and never read, before its writes fail.
    let deafLimit = TimeSpan.FromSeconds 1L

    /// Whether a write fails because the application would never hear that we closed: it has written for so long since, and
    /// never reads. Others have their writes dropped until they read that the peer has closed as well.
    let isDeaf (closedFor: TimeSpan) hasRead webSocket =
        match webSocket.Closing with
        | Sent | Answered -> not hasRead && closedFor.Ticks >= deafLimit.Ticks
        | NotBegun | Due | Theirs -> false


/// When a certificate is used, and what becomes of files that somebody may write at any time.
module CertificateFiles =
    /// How soon to look again at files that have just changed. Both, certificate and key, are as they were that long before they are judged: so no
    /// pair is taken that is half written, and none refused for it.
    let settleTime = TimeSpan.FromMilliseconds 250.0

    /// Why a certificate is not used at this moment, if it is not. Both ends of its time belong to it.
    let fault (now: DateTimeOffset) look =
        if not look.IsUsable then ValueSome CertificateFault.Unusable
        elif now < look.NotBefore then ValueSome CertificateFault.NotYetValid
        elif now > look.NotAfter then ValueSome CertificateFault.Expired
        else ValueNone

    /// What a look makes of the files, and what follows. A fault is said once a change; one that only has to wait for its time is taken then.
    let step now look files : struct (CertificateFiles * CertificateVerdict) =
        match files with
        | _ when not look.IsAsBefore -> struct (CertificateFiles.Fresh, CertificateVerdict.LookAgain)
        | CertificateFiles.Settled -> struct (files, CertificateVerdict.Keep)
        | CertificateFiles.Fresh
        | CertificateFiles.Refused ->
            match fault now look with
            | _ when look.IsInUse -> struct (CertificateFiles.Settled, CertificateVerdict.Keep)
            | ValueNone -> struct (CertificateFiles.Settled, CertificateVerdict.Take)
            | ValueSome _ when files = CertificateFiles.Refused -> struct (files, CertificateVerdict.Keep)
            | ValueSome why -> struct (CertificateFiles.Refused, CertificateVerdict.Refuse why)
