namespace Graceful.Proof

open System
open Graceful.Core

/// Time in the model is counted in ticks. One tick is the pause between two sweeps, so that the core's own constant is
/// a whole number of them too; every other duration of a configuration is one to a few ticks.
module Tick =
    let unit = Connection.sweepInterval

    let span (ticks: int) = TimeSpan(unit.Ticks * int64 ticks)

    /// Whole ticks, rounded up: whoever waits that long waits long enough.
    let count (span: TimeSpan) = int ((span.Ticks + unit.Ticks - 1L) / unit.Ticks)

/// What a client is like.
type Manner =
    /// HTTP/1.1: one request at a time, told by a header of the response.
    | Serial = 0
    /// HTTP/2: requests overlap, told by a GOAWAY.
    | Overlapping = 1
    /// Its first request is an upgrade.
    | Upgrading = 2
    /// Sends half a request head, and nothing more.
    | Half = 3

/// A mistake in an adapter, made on purpose, to see that the walk would find it.
type Mistake =
    | None = 0
    /// Sweeps the table before it changes the gate.
    | SweepBeforeGate = 1
    /// Enters the gate before it is in the table.
    | EnterBeforeRegister = 2
    /// Says that the listeners are closed while somebody accepted is not through the gate.
    | ClosedTooSoon = 3
    /// Lets somebody in, and forgets to tell them that we leave.
    | AdmittedUntold = 4
    /// Hears no bytes, and takes every connection for quiet.
    | DeafToBytes = 5
    /// Leaves the gate once more.
    | LeavesTwice = 6
    /// Obeys the orders of a step last to first.
    | OrdersBackwards = 7
    /// Takes from an accept queue that belongs to the successor.
    | TakesFromSuccessor = 8
    /// Loses the wake-up.
    | Sleeps = 9

/// One system whose every reachable state is walked: the policy, the clients, and how much may happen.
type Configuration =
    { Name: string
      Policy: Policy
      Clients: Manner[]
      /// How many requests each client may send, 1 or 2.
      Requests: int
      /// How many times somebody asks for a stop: by signal or through the API, at any moment.
      Stops: int
      /// Whether the host may lose its patience, once.
      HostForces: bool
      /// Whether a hand-over is asked for, once; it succeeds, fails, or never answers.
      HandOver: bool
      /// Whether somebody wants to undo it, once, at any moment.
      Resumes: bool
      /// Whether somebody asks for a drill of one tick, once.
      Drills: bool
      /// Whether somebody wants the stop that is under way at once, once.
      StopsNow: bool
      /// Whether a component fails, once, at any moment.
      Fails: bool
      /// Whether clients may go at any moment, also in the middle of a request.
      ClientsLeave: bool
      /// Nobody hangs: time passes only when nobody has anything to do.
      Polite: bool
      Mistake: Mistake }

module Configuration =
    let private policy =
        { LameDuck = TimeSpan.Zero
          QuietPeriod = Tick.span 1
          GracePeriod = ValueSome(Tick.span 3)
          DoubleKick = Tick.span 1
          IdleLimit = ValueNone
          SuccessorLimit = Tick.span 1
          Hooks = [||] }

    let private hook name stage =
        { Name = name; Stage = stage; TimeLimit = Tick.span 1; WaitsFor = ValueNone; OnFailure = Continue }

    let private after names hook = { hook with WaitsFor = ValueSome names }

    /// In each stage one that waits for nobody, one that must not fail, and where two of them run at once one that waits for both.
    let private graph =
        [| hook "leave the balancer" BeforeDrain
           { after [] (hook "stop the queue" BeforeDrain) with OnFailure = Force }
           after [ "leave the balancer"; "stop the queue" ] (hook "say goodbye" BeforeDrain)
           hook "flush" AfterDrain |]

    let private lateGraph =
        [| hook "close the books" AfterDrain
           { after [] (hook "flush" AfterDrain) with OnFailure = Force; TimeLimit = Tick.span 2 }
           after [] (hook "log off" AfterDrain)
           after [ "flush"; "close the books" ] (hook "cut the power" AfterDrain) |]

    let private fourHooks =
        [| hook "leave the balancer" BeforeDrain
           hook "close the books" AfterDrain
           hook "stop the queue" BeforeDrain
           hook "flush" AfterDrain |]

    let private plain =
        { Name = ""
          Policy = policy
          Clients = [| Manner.Serial |]
          Requests = 1
          Stops = 1
          HostForces = false
          HandOver = false
          Resumes = false
          Drills = false
          StopsNow = false
          Fails = false
          ClientsLeave = false
          Polite = false
          Mistake = Mistake.None }

    let private two = [| hook "leave the balancer" BeforeDrain; hook "flush" AfterDrain |]

    let private serial count = Array.create count Manner.Serial

    /// Small enough for every test run: each part of the system once, and most pairs of parts that meet.
    let small =
        [ { plain with Name = "two clients"; Clients = serial 2 }
          { plain with Name = "two requests, two stops, an impatient host"; Requests = 2; Stops = 2; HostForces = true }
          { plain with Name = "overlapping requests"; Clients = [| Manner.Overlapping |]; Requests = 2; Stops = 2 }
          { plain with Name = "clients that leave"; Requests = 2; ClientsLeave = true }
          { plain with Name = "an upgrade and half a request"; Clients = [| Manner.Upgrading; Manner.Half |] }
          { plain with Name = "lame duck"; Policy = { policy with LameDuck = Tick.span 1 }; Stops = 2 }
          { plain with
              Name = "no quiet period"
              Clients = [| Manner.Overlapping |]
              Policy = { policy with QuietPeriod = TimeSpan.Zero } }
          { plain with Name = "four hooks and nobody there"; Clients = [||]; Policy = { policy with Hooks = fourHooks }; Stops = 2 }
          { plain with Name = "two hooks"; Policy = { policy with Hooks = two } }
          { plain with
              Name = "a graph of hooks"
              Clients = [||]
              Policy = { policy with Hooks = graph; GracePeriod = ValueSome(Tick.span 2) }
              Stops = 2 }
          { plain with
              Name = "a graph of hooks after the drain"
              Clients = [||]
              Policy = { policy with Hooks = lateGraph; GracePeriod = ValueSome(Tick.span 1) }
              HostForces = true }
          { plain with
              Name = "a stop that is undone"
              Policy = { policy with LameDuck = Tick.span 1; Hooks = two; GracePeriod = ValueSome(Tick.span 2) }
              Stops = 2
              Resumes = true }
          { plain with
              Name = "a drill, undone or not"
              Policy = { policy with GracePeriod = ValueSome(Tick.span 2) }
              Drills = true
              Resumes = true }
          { plain with
              Name = "a component that fails, and a stop at once"
              Policy = { policy with LameDuck = Tick.span 1; Hooks = two; GracePeriod = ValueSome(Tick.span 2) }
              Resumes = true
              StopsNow = true
              Fails = true }
          { plain with
              Name = "coming back, and idle"
              Clients = [||]
              Policy = { policy with LameDuck = Tick.span 1; IdleLimit = ValueSome(Tick.span 2); GracePeriod = ValueSome(Tick.span 2) }
              Stops = 2
              Drills = true
              Resumes = true }
          { plain with Name = "hand-over"; Policy = { policy with Hooks = two }; HandOver = true }
          { plain with
              Name = "idle expiry and hand-over"
              Policy = { policy with IdleLimit = ValueSome(Tick.span 1); GracePeriod = ValueSome(Tick.span 1) }
              HandOver = true
              Stops = 0 }
          { plain with
              Name = "polite, and without a grace period"
              Clients = serial 2
              Policy = { policy with GracePeriod = ValueNone; Hooks = two }
              Polite = true }
          { plain with
              Name = "polite and idle"
              Clients = serial 2
              Policy = { policy with GracePeriod = ValueNone; IdleLimit = ValueSome(Tick.span 2) }
              Stops = 0
              Polite = true } ]

    /// What `prove` walks, the largest first.
    let all =
        [ { plain with
              Name = "everything at once"
              Policy =
                { policy with
                    LameDuck = Tick.span 1
                    IdleLimit = ValueSome(Tick.span 1)
                    Hooks = two }
              HostForces = true
              HandOver = true }
          { plain with
              Name = "four hooks, two stops, an impatient host"
              Policy = { policy with Hooks = fourHooks; LameDuck = Tick.span 1 }
              Stops = 2
              HostForces = true }
          { plain with
              Name = "two clients, a drill, and a stop that is undone"
              Clients = serial 2
              Policy = { policy with LameDuck = Tick.span 1; GracePeriod = ValueSome(Tick.span 2) }
              Stops = 2
              Drills = true
              Resumes = true }
          { plain with
              Name = "a graph of hooks, two stops, an impatient host, and back"
              Policy = { policy with Hooks = graph; LameDuck = Tick.span 1 }
              Stops = 2
              HostForces = true
              Resumes = true }
          { plain with
              Name = "three kinds of clients"
              Clients = [| Manner.Serial; Manner.Overlapping; Manner.Half |]
              Policy = { policy with GracePeriod = ValueSome(Tick.span 1) } }
          { plain with
              Name = "a serial and an overlapping client"
              Clients = [| Manner.Serial; Manner.Overlapping |]
              Stops = 2 }
          { plain with
              Name = "an overlapping client and half a request"
              Clients = [| Manner.Overlapping; Manner.Half |]
              Stops = 2 }
          { plain with
              Name = "three clients"
              Clients = serial 3
              Policy = { policy with GracePeriod = ValueSome(Tick.span 2) } }
          { plain with Name = "two clients, two requests each"; Clients = serial 2; Requests = 2 }
          { plain with Name = "two clients, two stops"; Clients = serial 2; Stops = 2 } ]
        @ small
