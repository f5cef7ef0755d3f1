/// Everything that can become of a connection with up to three requests in flight, and what is true of all of it.
module Graceful.Core.Tests.ConnectionTests

open Graceful.Core
open Graceful.Core.Tests.ConnectionModel
open Xunit

let events = [ Begin; End; Tell; MarkInUse; MarkIdle; Hijack; Retire; Reap; Shed; Abort; Disown; Ended ]

/// A word, the naive model beside it, and what the word has ordered so far.
type Life = { Word: Connection; Model: Model; Closes: int; Resets: int; Leaves: int }

/// One event from one life, with the shortest way to it for whoever reads a failure.
type Edge =
    { Path: ConnectionEvent list
      Event: ConnectionEvent
      From: Life
      To: Life
      Effect: ConnectionEffect
      Expected: ConnectionEffect }

let private born = { Word = Connection.initial; Model = initial; Closes = 0; Resets = 0; Leaves = 0 }

let private happen event life =
    let struct (word, effect) = Connection.step event life.Word
    let model, expected = step event life.Model
    // Two stands for "more than once", so that the walk stays finite even when the word misbehaves.
    let count wanted n = if effect = wanted then min 2 (n + 1) else n
    { Word = word
      Model = model
      Closes = count Close life.Closes
      Resets = count Reset life.Resets
      Leaves = count LeaveGate life.Leaves },
    effect,
    expected

let private lives =
    Walk.reach
        (fun event life -> let next, _, _ = happen event life in next)
        events
        // Both are bounded, so that the walk ends even when they disagree.
        (fun life -> life.Model.InFlight <= 3 && Connection.inFlight life.Word <= 3)
        born

let edges =
    [ for life, path in lives do
          for event in events do
              let next, effect, expected = happen event life
              { Path = path; Event = event; From = life; To = next; Effect = effect; Expected = expected } ]

let words = lives |> List.map (fun (life, _) -> life.Word) |> List.distinct

/// What the naive model makes of a word; each word has one.
let modelOf word = lives |> List.pick (fun (life, _) -> if life.Word = word then Some life.Model else None)

let private always holds =
    for edge in edges do
        if not (holds edge) then
            Assert.Fail $"After %A{edge.Path} came %A{edge.Event}: %A{edge.Effect}, from %A{edge.From} to %A{edge.To}"

let private phase life = Connection.phase life.Word
let private inFlight life = Connection.inFlight life.Word
let private unchanged edge = edge.To.Word = edge.From.Word && edge.Effect = Nothing
let private isOpen life = phase life = New || phase life = Active || phase life = Idle

[<Fact>]
let ``the word does what the naive model does, in every word and on every event`` () =
    always (fun e ->
        let word, model = e.To.Word, e.To.Model
        e.Effect = e.Expected
        && Connection.phase word = ConnectionModel.phase model
        && Connection.inFlight word = model.InFlight
        && Connection.isRetiring word = model.Retiring
        && Connection.isGone word = (model.Tenure = Gone)
        && Connection.mustTell word = (model.Tenure = Open && model.Retiring)
        && Connection.isKept true word = (model.Tenure = Open && not model.Retiring)
        && not (Connection.isKept false word))

[<Fact>]
let ``the walk is the whole space`` () =
    // A change of these figures is a change of the machine, and wants a look. The words hide no state: each has one model.
    let models = lives |> List.map (fun (life, _) -> life.Model) |> List.distinct
    printfn $"Connection: %d{words.Length} words, %d{lives.Length} lives, %d{edges.Length} edges"
    Assert.Equal(models.Length, words.Length)
    Assert.True(words.Length > 40)

[<Fact>]
let ``a connection leaves exactly once`` () =
    always (fun e -> e.To.Leaves = (if Connection.isGone e.To.Word then 1 else 0))

[<Fact>]
let ``whatever happened to a connection, it can leave`` () =
    always (fun e -> e.Event <> Ended || Connection.isGone e.To.Word)

[<Fact>]
let ``a connection is closed at most once, and reset at most once`` () =
    always (fun e -> e.To.Closes <= 1 && e.To.Resets <= 1)

[<Fact>]
let ``a reset connection is not closed as well`` () =
    always (fun e -> e.Effect <> Close || e.From.Resets = 0)

[<Fact>]
let ``nothing happens to a connection that is gone`` () =
    always (fun e -> not (Connection.isGone e.From.Word) || unchanged e)

[<Fact>]
let ``a closed connection never opens again`` () =
    always (fun e -> phase e.From <> Closed || phase e.To = Closed)

[<Fact>]
let ``a hijacked connection carries no more requests`` () =
    always (fun e -> phase e.From <> Hijacked || (inFlight e.To = 0 && (phase e.To = Hijacked || phase e.To = Closed)))

[<Fact>]
let ``New and Idle have nothing in flight, and Active has something`` () =
    always (fun e ->
        match phase e.To with
        | New
        | Idle
        | Hijacked -> inFlight e.To = 0
        | Active -> inFlight e.To > 0
        | Closed -> inFlight e.To >= 0)

[<Fact>]
let ``a connection that served is never New again`` () =
    always (fun e -> phase e.From = New || phase e.To <> New)

[<Fact>]
let ``the effect says where the phase went`` () =
    always (fun e ->
        match e.Effect with
        | BecameActive -> (phase e.From = New || phase e.From = Idle) && phase e.To = Active
        | BecameIdle -> phase e.From = Active && phase e.To = Idle
        | BecameHijacked -> isOpen e.From && phase e.To = Hijacked
        | AskToClose -> phase e.To = Active || phase e.To = Hijacked
        | Close -> isOpen e.From && phase e.To = Closed
        | Reset -> phase e.To = Closed
        | LeaveGate -> Connection.isGone e.To.Word
        | Nothing -> phase e.From = phase e.To)

[<Fact>]
let ``a told connection never idles: the end of its last request closes it`` () =
    always (fun e ->
        if not (e.From.Model.Last && phase e.From = Active) then true
        elif e.Event = End && inFlight e.From = 1 then e.Effect = Close && phase e.To = Closed
        else phase e.To <> Idle && phase e.To <> New)

[<Fact>]
let ``an untold retiring connection idles after its work`` () =
    always (fun e ->
        let untold = phase e.From = Active && Connection.isRetiring e.From.Word && not e.From.Model.Last
        not (untold && e.Event = End && inFlight e.From = 1) || (e.Effect = BecameIdle && phase e.To = Idle))

[<Fact>]
let ``nothing closes a connection but the end of its last work, MarkIdle when retiring, Reap, Shed, Abort and its end for us`` () =
    always (fun e ->
        not (isOpen e.From && phase e.To = Closed)
        || (match e.Event with
            | End -> e.From.Model.Last && inFlight e.From = 1
            | MarkIdle -> Connection.isRetiring e.From.Word
            | Reap
            | Shed -> inFlight e.From = 0
            | Abort
            | Disown
            | Ended -> true
            | Begin
            | Tell
            | MarkInUse
            | Hijack
            | Retire -> false))

[<Fact>]
let ``nobody is asked to close but who retires, works and was not told`` () =
    // What was told on an HTTP response is told once more in the protocol that came after it.
    always (fun e ->
        e.Effect <> AskToClose
        || (Connection.isRetiring e.To.Word && (not e.From.Model.Last || e.Event = Hijack)))

[<Fact>]
let ``whoever works untold is asked: at the notice, or as soon as it begins`` () =
    always (fun e ->
        let open', retiring = isOpen e.From, Connection.isRetiring e.From.Word
        match e.Event with
        | Retire -> retiring || not (phase e.From = Active || phase e.From = Hijacked) || e.Effect = AskToClose
        | Begin -> not (open' && retiring && not e.From.Model.Last) || e.Effect = AskToClose
        | Hijack -> not (open' && retiring) || e.Effect = AskToClose
        | End
        | Tell
        | MarkInUse
        | MarkIdle
        | Reap
        | Shed
        | Abort
        | Disown
        | Ended -> true)

[<Fact>]
let ``a retiring connection retires until it is gone`` () =
    always (fun e ->
        not (Connection.isRetiring e.From.Word) || Connection.isRetiring e.To.Word || Connection.isGone e.To.Word)

[<Fact>]
let ``a reap closes New and Idle at once, and an Active one with its last request`` () =
    always (fun e ->
        if e.Event <> Reap then
            true
        else
            match phase e.From with
            | New
            | Idle -> e.Effect = Close
            | Active -> e.Effect <> Close && phase e.To = Active && e.To.Model.Last
            | Hijacked
            | Closed -> unchanged e)

[<Fact>]
let ``a shed closes New and Idle at once, and nobody else feels it`` () =
    always (fun e ->
        if e.Event <> Shed then
            true
        else
            match phase e.From with
            | New
            | Idle -> e.Effect = Close && phase e.To = Closed
            | Active
            | Hijacked
            | Closed -> unchanged e)

[<Fact>]
let ``whoever is not closed can be disowned, once, and then nothing happens to it any more`` () =
    always (fun e ->
        let isOurs = phase e.From <> Closed
        if e.Event = Disown then
            if isOurs then e.Effect = LeaveGate && Connection.isDisowned e.To.Word && inFlight e.To = 0 else unchanged e
        else
            Connection.isDisowned e.To.Word = Connection.isDisowned e.From.Word
            && (not (Connection.isDisowned e.From.Word) || unchanged e))

[<Fact>]
let ``somebody is at work on it exactly while it is active, or upgraded`` () =
    always (fun e -> Connection.isInUse e.To.Word = (phase e.To = Active || phase e.To = Hijacked))

[<Fact>]
let ``a request may be found on it exactly while one is in flight, whatever became of the connection, or it was upgraded`` () =
    always (fun e -> Connection.holdsRequest e.To.Word = (inFlight e.To > 0 || phase e.To = Hijacked))

[<Fact>]
let ``it is closed untold from the close, unless it had its last response, until its transport is gone, but for the time of a request that was faster`` () =
    always (fun e ->
        let isUntold = Connection.isClosedUntold e.To.Word
        isUntold = (e.To.Model.Tenure = Closing && e.To.Model.InFlight = 0 && not e.To.Model.Last)
        // It has no request that the close would tear apart, and one that comes ends that.
        && (not (Connection.isClosedUntold e.From.Word) || e.Event <> Begin || not isUntold))

[<Fact>]
let ``bytes are heard as long as it is open, and for ever once it is somebody else's`` () =
    always (fun e -> Connection.isHeard e.To.Word = (phase e.To <> Closed || Connection.isDisowned e.To.Word))

[<Fact>]
let ``whoever is heard, and marked in use, is waited for`` () =
    // A read marks first and asks then: bytes that its user gets to see are counted, or nobody counts this connection at all.
    always (fun e ->
        e.Event <> MarkInUse
        || not (Connection.isHeard e.To.Word)
        || phase e.To = Active || phase e.To = Hijacked || Connection.isDisowned e.To.Word)

[<Fact>]
let ``only who is silent, unused and has nothing to read may be shed, and whoever may be is`` () =
    let seconds (n: int) = System.TimeSpan.FromSeconds(int64 n)
    for word in words do
        for least in [ 0; 1; 2 ] do
            for quietFor in [ 0; 1; 2; 3 ] do
                for unread in [ false; true ] do
                    let phase = Connection.phase word
                    let expected = (phase = New || phase = Idle) && not unread && quietFor >= least
                    Assert.Equal(expected, Connection.mayShed (seconds least) (seconds quietFor) unread word)
                    let struct (_, effect) = Connection.step Shed word
                    Assert.True(not expected || effect = Close)

[<Fact>]
let ``an abort resets whatever is not gone, once, hijacked or closing too`` () =
    always (fun e ->
        if e.Event <> Abort then e.Effect <> Reset
        elif Connection.isGone e.From.Word || e.From.Resets > 0 then unchanged e
        else e.Effect = Reset && phase e.To = Closed && inFlight e.To = inFlight e.From)

[<Fact>]
let ``a request that raced the close is counted, and closes nothing when it ends`` () =
    always (fun e ->
        let closing = phase e.From = Closed && not (Connection.isGone e.From.Word)
        match e.Event with
        | Begin when closing -> inFlight e.To = inFlight e.From + 1 && e.Effect = Nothing
        | End when closing -> inFlight e.To = max 0 (inFlight e.From - 1) && e.Effect = Nothing
        | Begin
        | End
        | Tell
        | MarkInUse
        | MarkIdle
        | Hijack
        | Retire
        | Reap
        | Shed
        | Abort
        | Disown
        | Ended -> true)

[<Fact>]
let ``a repeated event changes nothing, but for Begin and End, which count`` () =
    always (fun e ->
        e.Event = Begin
        || e.Event = End
        || (let struct (again, effect) = Connection.step e.Event e.To.Word in again = e.To.Word && effect = Nothing))

[<Fact>]
let ``a mark is a level: it sets one in flight, or none`` () =
    always (fun e ->
        match e.Event with
        | MarkInUse -> inFlight e.To = (if isOpen e.From then max 1 (inFlight e.From) else inFlight e.From)
        | MarkIdle -> inFlight e.To = (if isOpen e.From then 0 else inFlight e.From)
        | Begin
        | End
        | Tell
        | Hijack
        | Retire
        | Reap
        | Shed
        | Abort
        | Disown
        | Ended -> true)

[<Fact>]
let ``a full word counts no further and never wraps`` () =
    let top = 0xFFFFFFC0u
    for flags in 0u .. 63u do
        let full = Connection(top ||| flags)
        Assert.Equal(struct (full, Nothing), Connection.step Begin full)
        let struct (one, _) = Connection.step Begin (Connection((top - 64u) ||| flags))
        Assert.True(Connection.inFlight one >= Connection.inFlight full - 1)
        for event in events do
            let struct (next, _) = Connection.step event full
            Assert.True(Connection.inFlight next <= Connection.inFlight full)
            Assert.True(Connection.inFlight next >= 0)
