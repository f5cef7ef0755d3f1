/// When those are told who stay long on one connection: one after the other, and the same again under the same seed.
module Graceful.Core.Tests.SpreadTests

open System
open Graceful.Core
open Graceful.Core.Tests.ConnectionTests
open Xunit

let private seeds = [ 0UL; 1UL; 0x8000_0000_0000_0000UL; UInt64.MaxValue; 0x2026_1121_CAFE_F00DUL ]

let private crowds = [ 1; 2; 3; 4; 5; 7; 8; 13; 16; 50; 100; 1_000; 10_000 ]

/// Long and short, and one whose ticks are few.
let private lameDucks = [ TimeSpan.FromSeconds 5.0; TimeSpan.FromDays 1.0; TimeSpan.FromSeconds 1.0 ]

/// The moments of so many that were asked for at once, the soonest first.
let private moments seed lameDuck many =
    [| for i in 0 .. many - 1 -> (Spread.after seed (int64 i) lameDuck).Ticks |] |> Array.sort

let private always holds =
    for seed in seeds do
        for lameDuck in lameDucks do
            for many in crowds do
                match holds lameDuck many (moments seed lameDuck many) with
                | None -> ()
                | Some what -> Assert.Fail $"{many} over {lameDuck} from {seed}: {what}"

[<Fact>]
let ``everybody is told before the lame duck is over, and nobody before it begins`` () =
    always (fun lameDuck _ moments ->
        if moments |> Array.forall (fun at -> at >= 0L && at < lameDuck.Ticks) then None else Some "out of bounds")

[<Fact>]
let ``when nothing is left of it everybody is told at once`` () =
    for seed in seeds do
        for left in [ TimeSpan.Zero; TimeSpan -1L; TimeSpan.MinValue ] do
            Assert.Equal(TimeSpan.Zero, Spread.after seed 7L left)
        Assert.Equal(TimeSpan.Zero, Spread.after seed 7L (TimeSpan 1L))

[<Fact>]
let ``the longest time that there is has no moment outside of it`` () =
    for seed in seeds do
        for ordinal in [ 0L; 1L; 2L; Int64.MaxValue; Int64.MinValue; -1L ] do
            Assert.InRange(Spread.after seed ordinal TimeSpan.MaxValue, TimeSpan.Zero, TimeSpan.MaxValue)

[<Fact>]
let ``the first one stands where the seed says, and the next a golden stride further`` () =
    let second = TimeSpan.FromSeconds 1.0
    Assert.Equal(TimeSpan.Zero, Spread.after 0UL 0L second)
    Assert.Equal(TimeSpan.FromMilliseconds 500.0, Spread.after 0x8000_0000_0000_0000UL 0L second)
    Assert.Equal(TimeSpan(6_180_339L), Spread.after 0UL 1L second)
    Assert.Equal(TimeSpan(2_360_679L), Spread.after 0UL 2L second)
    Assert.Equal(TimeSpan(1_180_339L), Spread.after 0x8000_0000_0000_0000UL 1L second)

[<Fact>]
let ``each slice of the lame duck gets its share, give or take five`` () =
    always (fun lameDuck many moments ->
        [ for slices in [ 2; 3; 5; 10; 60; 100 ] do
              let slice = lameDuck.Ticks / int64 slices
              let shares = moments |> Array.countBy (fun at -> min (int64 slices - 1L) (at / slice)) |> Map
              for i in 0 .. slices - 1 do
                  let has = shares |> Map.tryFind (int64 i) |> Option.defaultValue 0
                  if abs (float has - float many / float slices) > 5.0 then $"slice {i} of {slices} gets {has}" ]
        |> List.tryHead)

[<Fact>]
let ``no two are told much closer to each other than evenly, and no gap is much longer`` () =
    always (fun lameDuck many moments ->
        let even = float lameDuck.Ticks / float many
        // A moment is a whole tick.
        moments
        |> Array.pairwise
        |> Array.tryFind (fun (a, b) -> float (b - a) < 0.4 * even - 1.0 || float (b - a) > 2.0 * even + 1.0)
        |> Option.map (fun (a, b) -> $"{a} and {b}, where an even distance is {even}"))

[<Fact>]
let ``servers that leave together tell their clients at different moments`` () =
    let first = [ for server in 0UL .. 9UL -> Spread.after (server * 0x1000_0000_0000_0000UL) 0L (TimeSpan.FromDays 1.0) ]
    Assert.Equal(first.Length, (List.distinct first).Length)

[<Fact>]
let ``a newcomer is told within what is left, however late he is`` () =
    for left in [ 1; 10; 999; 5_000 ] do
        for ordinal in 0L .. 99L do
            Assert.InRange(Spread.after 7UL ordinal (ms left), TimeSpan.Zero, ms left - TimeSpan 1L)

[<Fact>]
let ``spread are those who stay: who carries many requests at a time, and who was upgraded`` () =
    let spread = [ for multiplexed in [ false; true ] do for phase in [ New; Active; Idle; Hijacked; Closed ] do if Spread.isSpread multiplexed phase then multiplexed, phase ]
    Assert.Equal<(bool * Phase) list>([ false, Hijacked; true, New; true, Active; true, Idle; true, Hijacked ], spread)

[<Fact>]
let ``whose notice was put off is asked exactly when the word would have ordered it`` () =
    for word in words do
        // Whoever retires was asked by the event that made it so, or will be by the request that begins next: what is in flight
        // and untold, or upgraded, awaits it.
        let struct (_, again) = Connection.step Begin word
        let wanted =
            match Connection.phase word with
            | Hijacked -> Connection.isRetiring word
            | Active -> again = AskToClose
            | New
            | Idle
            | Closed -> false
        if Connection.awaitsNotice word <> wanted then
            Assert.Fail $"{Connection.phase word}, {Connection.inFlight word} in flight, retiring: {Connection.isRetiring word}"

[<Fact>]
let ``who was told awaits no notice, and who retires while it works does`` () =
    let after events = events |> List.fold (fun word event -> let struct (next, _) = Connection.step event word in next) Connection.initial
    Assert.False(Connection.awaitsNotice (after [ Begin ]))
    Assert.True(Connection.awaitsNotice (after [ Begin; Retire ]))
    Assert.True(Connection.awaitsNotice (after [ Begin; Retire; Begin; End ]))
    Assert.False(Connection.awaitsNotice (after [ Begin; Retire; End ]))
    Assert.True(Connection.awaitsNotice (after [ Begin; Retire; End; Begin ]))
    Assert.False(Connection.awaitsNotice (after [ Begin; Retire; Tell ]))
    Assert.True(Connection.awaitsNotice (after [ Begin; Hijack; Retire ]))
    Assert.False(Connection.awaitsNotice (after [ Begin; Hijack ]))
    Assert.False(Connection.awaitsNotice (after [ Begin; Hijack; Retire; Ended ]))
