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
    | RetiredFirst = 22
    | Reaped = 23
    | Hastened = 24
    | Reset = 25
    | RacedTheClose = 26
    | CutAfterTheLook = 27
    | CutByItsClient = 28
    | CutByReset = 29
    | MarkedInUse = 30
    | MarkedIdle = 31
    // Faults of the world.
    | WokenLate = 32
    | WokenEarly = 33
    | LetterRepeated = 34
    | ConnectionJudged = 35
    | AnsweredTooLate = 36
    // Hooks.
    | HookSucceeded = 37
    | HookFailed = 38
    | HookTimedOut = 39
    | HookCancelled = 40
    | HookSkipped = 41
    // The server.
    | WentIdle = 42
    | CameBackFromIdle = 43
    | LameDuckEntered = 44
    | SuccessorStarted = 45
    | SuccessorFailed = 46
    | SuccessorAbandoned = 47
    | HandOverRefused = 48
    | TerminatedAtOnce = 49
    // How it ended.
    | StoppedBySignal = 50
    | StoppedOnRequest = 51
    | StoppedByHost = 52
    | IdledOut = 53
    | HandedOver = 54
    | StoppedByAFailure = 55
    | ComponentFailed = 56
    | GracePeriodOver = 57
    | SecondSignal = 58
    | HostTimedOut = 59
    | StoppedNow = 60
    | ExitedClean = 61
    | ExitedWithAFailedHook = 62
    | ExitedWithWorkCutOff = 63
    | ExitedOnASecondSignal = 64
    // And back.
    | CameBackFromAStop = 65
    | CameBackFromADrill = 66
    | ResumeRefused = 67
    | DrillRefused = 68
    | HooksRanTogether = 69
    | ForcedByAHook = 70
    | ConnectionEnded = 71
    // Raw connections that go while the server goes on.
    | Shed = 72
    | Disowned = 73
    // At the end of an idle server: who is inside and keeps nobody.
    | IdledOutBesideAProbe = 74
    | IdledOutBesideTheHijacked = 75

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
