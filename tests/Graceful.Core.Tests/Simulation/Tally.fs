namespace Graceful.Core.Tests.Simulation

open System

/// What can happen in a simulated life. The first four are the events: one step of one machine each.
type Happening =
    | ConnectionStepped = 0
    | GateStepped = 1
    | ServerStepped = 2
    /// The same event again, at once; it may change nothing.
    | StepRepeated = 3
    | TurnTaken = 4
    // How peers are.
    | PoliteMet = 5
    | LeaverMet = 6
    | EndlessMet = 7
    | StuckMet = 8
    | HalfHeadMet = 9
    | MuteMet = 10
    // Connections.
    | Accepted = 11
    | FoundNoListener = 12
    | LeftToTheSuccessor = 13
    | ToldAtTheGate = 14
    | RefusedAtTheGate = 15
    | RequestBegun = 16
    | RequestServed = 17
    | ToldByHead = 18
    | ToldByGoAway = 19
    | HijackedAskedToClose = 20
    | Hijacked = 21
    | Reaped = 22
    | Hastened = 23
    | Reset = 24
    | RacedTheClose = 25
    | CutAfterTheLook = 26
    | CutByItsClient = 27
    | CutByReset = 28
    | MarkedInUse = 29
    | MarkedIdle = 30
    // Faults of the world.
    | WokenLate = 31
    | WokenEarly = 32
    | LetterRepeated = 33
    | ConnectionJudged = 34
    | AnsweredTooLate = 35
    // Hooks.
    | HookSucceeded = 36
    | HookFailed = 37
    | HookTimedOut = 38
    | HookCancelled = 39
    | HookSkipped = 40
    // The server.
    | WentIdle = 41
    | CameBackFromIdle = 42
    | LameDuckEntered = 43
    | SuccessorStarted = 44
    | SuccessorFailed = 45
    | SuccessorAbandoned = 46
    | HandOverRefused = 47
    | TerminatedAtOnce = 48
    // How it ended.
    | StoppedBySignal = 49
    | StoppedOnRequest = 50
    | StoppedByHost = 51
    | IdledOut = 52
    | HandedOver = 53
    | GracePeriodOver = 54
    | SecondSignal = 55
    | HostTimedOut = 56
    | ExitedClean = 57
    | ExitedWithAFailedHook = 58
    | ExitedWithWorkCutOff = 59
    | ExitedOnASecondSignal = 60

/// What happened in all lives so far, so that nobody trusts a simulation in which nothing happens.
[<Sealed>]
type Tally() =
    static let kinds = Enum.GetValues<Happening>()
    let counts: int64[] = Array.zeroCreate kinds.Length

    static member Kinds = kinds

    member _.Item with get (what: Happening) = counts[int what]

    member _.Count(what: Happening) = counts[int what] <- counts[int what] + 1L

    /// How many connections were inside at once at most.
    member val MostInside = 0 with get, set

    /// Steps of the three machines.
    member _.Events = counts[0] + counts[1] + counts[2] + counts[3]

    member t.Add(other: Tally) =
        for kind in kinds do
            counts[int kind] <- counts[int kind] + other[kind]
        t.MostInside <- max t.MostInside other.MostInside

    /// What never happened.
    member _.Missing = kinds |> Array.filter (fun kind -> counts[int kind] = 0L)

    /// `ToldAtTheGate` as people write it.
    static member Words(what: Happening) =
        let letter i c = (if Char.IsUpper c && i > 0 then " " else "") + string (Char.ToLowerInvariant c)
        what.ToString() |> Seq.mapi letter |> String.concat ""
