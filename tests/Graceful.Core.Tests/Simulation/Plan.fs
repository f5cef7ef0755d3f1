namespace Graceful.Core.Tests.Simulation

open System
open Graceful.Core
open Graceful.Core.Tests

/// How a hook behaves.
type HookManner =
    | Succeeds
    | Fails
    | Hangs

/// Everything about a life that is settled before it begins.
type Plan =
    { Policy: Policy
      Hooks: HookManner[]
      HookTimes: int[]
      /// What comes from outside, and when, in order of time.
      Calls: struct (int * Event)[]
      /// How a successor ends, and when: ready, failed, or it never says.
      Successor: Event voption
      /// How late a wake-up may come, in milliseconds.
      Late: int
      /// How long listeners are left open on the last call, in milliseconds.
      Settle: int
      /// Letters may come twice.
      Stutters: bool
      /// Whoever was upgraded keeps the server from being idle.
      HijackedIsBusy: bool
      /// How long the process is still there after the exit was ordered, in milliseconds.
      Lingers: int
      /// Nothing in it keeps the server from leaving cleanly and soon.
      Harmless: bool }

module Plan =
    let private ms (n: int) = TimeSpan.FromMilliseconds(int64 n)
    let private oneOf (c: Choices) (items: _[]) = items[c.Next items.Length]

    let private call (c: Choices) =
        oneOf c
            [| StopRequested(Signal 15)
               StopRequested Requested
               StopRequested(Signal 15)
               StopRequested HostStopped
               StopRequested(Signal 2)
               ForceRequested HostTimedOut
               ForceRequested StopNow
               StopRequested(ComponentFailed("queue", "lost"))
               HandOverRequested
               ResumeRequested
               DrillRequested(ms 40)
               Woke |]

    /// What brings the end about, with a signal behind it where that is not certain.
    let private trigger (c: Choices) harmless first =
        let signal later = struct (first + later, StopRequested(Signal 15))
        match c.Next 10 with
        | 0
        | 1 -> [| signal 0 |]
        | 2 -> [| struct (first, StopRequested Requested) |]
        | 3 -> [| struct (first, StopRequested HostStopped) |]
        | 4 -> [| struct (first, HandOverRequested); signal 250 |]
        | 5 when not harmless -> [| struct (first, StopRequested(ComponentFailed("queue", "lost"))) |]
        | 6 -> [| struct (first, StopRequested Requested); struct (first + 30, ResumeRequested); signal 200 |]
        | 8 -> [| struct (first, StopRequested ConnectionEnded) |]
        | 7 -> [| struct (first, DrillRequested(ms 40)); signal 150 |]
        | _ -> [| signal 400 |]

    /// Where a stop may be undone, another one comes when everything else is long over.
    let private withAnEnd calls =
        if calls |> Array.exists (fun struct (_, event) -> event = ResumeRequested) then
            let last = calls |> Array.fold (fun last struct (at, _) -> max last at) 0
            Array.append calls [| struct (last + 2000, StopRequested(Signal 15)) |]
        else calls

    let private hooksAtMost = 4

    let private hookNames = [| for i in 1..hooksAtMost -> $"hook {i}" |]

    let private callsAtMost = 5

    /// A choice is a byte: of larger crowds only some numbers can be drawn.
    let private upTo (c: Choices) most = if most < 256 then c.Next(most + 1) else c.Next 256 * most / 255

    let private protocols = [| OneAtATime; Overlapping; OneAtATime; Upgrades; Overlapping; Raw |]
    let private modes = [| Manual; Automatic; Deadline |]

    /// Whatever the life needs, everything is drawn, so that one choice more or less does not change all that follow it.
    let draw (c: Choices) (peers: Peer[]) =
        let harmless = c.Next 2 = 0
        let manners =
            // Nothing but force ends a request that never ends, or sends bytes to somebody who does not read.
            if harmless then [| Polite; HalfHead; Endless; Leaver |]
            else [| Polite; HalfHead; Endless; Stuck; Mute; Leaver |]
        // A few alone come to rest in between, as a crowd hardly ever does.
        let count = if c.Next 8 = 7 then c.Next 9 |> min peers.Length else upTo c peers.Length
        // A rush, or a life of a few seconds; a crowd asks for much.
        let haste = oneOf c [| 1; 1; 4 |]
        let appetite = oneOf c (if peers.Length <= 8 then [| 1; 1; 6 |] else [| 1; 6; 25 |])
        for peer in peers do
            let manner = oneOf c manners
            let protocol = oneOf c protocols
            let mode = oneOf c modes
            let wanted = c.Next 6
            let counts = c.Next 4 <> 3
            peer.Begin(manner, protocol, mode, counts, wanted * appetite, c.Next 250 * haste)
        let hookCount = c.Next(hooksAtMost + 1)
        let hooks =
            [| for i in 0 .. hooksAtMost - 1 do
                   let stage = if c.Next 2 = 0 then BeforeDrain else AfterDrain
                   let manner = oneOf c [| Succeeds; Succeeds; Fails; Hangs |]
                   let limit, takes = 30 + c.Next 30, c.Next 20
                   // Of the hooks before it those whose bits are set; where the stage is another, the name says nothing.
                   let chained, waits = c.Next 2 = 0, c.Next 16
                   let after =
                       if chained then ValueNone
                       else ValueSome [ for j in 0 .. i - 1 do if waits >>> j &&& 1 = 1 then hookNames[j] ]
                   let hook =
                       { Name = hookNames[i]
                         Stage = stage
                         TimeLimit = ms limit
                         WaitsFor = after
                         OnFailure = if c.Next 4 = 3 then Force else Continue }
                   hook, (if harmless then Succeeds else manner), takes |]
            |> Array.truncate hookCount
        // In a small life most of the races are with the stop; a crowd is mostly inside when it comes.
        let first = trigger c harmless ((c.Next 120 + (if peers.Length <= 8 then 0 else 2 * c.Next 150)) * haste)
        let struct (start, _) = first[0]
        let kicks = if c.Next 2 = 0 || harmless then 0 else 1 + c.Next callsAtMost
        let calls =
            [| for _ in 1..callsAtMost do
                   let what = call c
                   struct (start + c.Next 200 + c.Next 200, what) |]
        let grace = oneOf c [| 200; 400; 50; 1000 |]
        let policy =
            { LameDuck = ms (oneOf c [| 0; 40; 0; 120 |])
              QuietPeriod = ms (oneOf c [| 40; 0; 80; 120 |])
              GracePeriod =
                if not harmless then ValueSome(ms grace)
                elif grace < 300 then ValueNone
                else ValueSome(ms 5000)
              DoubleKick = ms (oneOf c [| 0; 60; 200 |])
              IdleLimit = (let limit = c.Next 160 in if limit < 100 then ValueNone else ValueSome(ms (limit - 80)))
              SuccessorLimit = ms 100
              Hooks = hooks |> Array.map (fun (hook, _, _) -> hook) }
        struct (count,
                { Policy = policy
                  Hooks = hooks |> Array.map (fun (_, manner, _) -> manner)
                  HookTimes = hooks |> Array.map (fun (_, _, takes) -> takes)
                  Calls = Array.append first (Array.truncate kicks calls) |> withAnEnd |> Array.sortBy (fun struct (at, _) -> at)
                  Successor =
                    (match c.Next 3 with
                     | 0 -> ValueSome SuccessorReady
                     | 1 -> ValueSome(SuccessorFailed "no port")
                     | _ -> ValueNone)
                  Late = (let late = oneOf c [| 0; 2; 0; 15 |] in if harmless then 0 else late)
                  Settle = oneOf c [| 0; 0; 60; 160 |]
                  Lingers = (let lingers = c.Next 2 * 80 in if harmless then 0 else lingers)
                  Stutters = (c.Next 2 = 1)
                  HijackedIsBusy = (c.Next 2 = 0)
                  Harmless = harmless })

    /// The policy in one line, for a trace.
    let describe plan =
        let policy = plan.Policy
        let span (t: TimeSpan) = $"{int t.TotalMilliseconds} ms"
        let optional t = (match t with ValueSome t -> span t | ValueNone -> "none")
        let hooks =
            [ for i in 0 .. policy.Hooks.Length - 1 ->
                  let hook = policy.Hooks[i]
                  let after = (match hook.WaitsFor with ValueSome names -> $" after %A{names}" | ValueNone -> "")
                  $"{hook.Stage} of at most {span hook.TimeLimit}{after} that %A{plan.Hooks[i]}, then {hook.OnFailure}" ]
        $"lame duck {span policy.LameDuck}, quiet period {span policy.QuietPeriod}, grace period {optional policy.GracePeriod}, "
        + $"double kick {span policy.DoubleKick}, idle limit {optional policy.IdleLimit}, hooks %A{hooks}"
        + (if plan.Late > 0 then $", wake-ups up to {plan.Late} ms late" else "")
        + (if plan.Settle > 0 then $", listeners that take {plan.Settle} ms to close" else "")
        + (if plan.HijackedIsBusy then "" else ", the hijacked keep nobody")
        + (if plan.Stutters then ", letters that come twice" else "")
        + (if plan.Harmless then ", and everybody behaves" else "")
