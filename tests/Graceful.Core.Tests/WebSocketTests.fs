/// Where a WebSocket may be closed by the server that carries it, over all short conversations, cut in every way.
module Graceful.Core.Tests.WebSocketTests

open System
open FsCheck
open FsCheck.FSharp
open Graceful.Core
open Xunit

/// A frame as RFC 6455 draws it.
type private Frame =
    { Opcode: byte
      Final: bool
      Masked: bool
      Length: int64 }

let private header frame =
    let mask = if frame.Masked then 0x80uy else 0uy
    let bigEndian count = [ for i in count - 1 .. -1 .. 0 -> byte (frame.Length >>> (8 * i)) ]
    [ yield (if frame.Final then 0x80uy else 0uy) ||| frame.Opcode
      if frame.Length < 126L then
          yield mask ||| byte frame.Length
      elif frame.Length < 65536L then
          yield mask ||| 126uy
          yield! bigEndian 2
      else
          yield mask ||| 127uy
          yield! bigEndian 8
      if frame.Masked then yield! [ 1uy; 2uy; 3uy; 4uy ] ]

/// What it carries looks like Close frames, so that whoever loses the place finds some.
let private bytesOf frame = [ yield! header frame; yield! List.replicate (int frame.Length) 0x88uy ]

let private text final length = { Opcode = 1uy; Final = final; Masked = false; Length = length }
let private more final length = { text final length with Opcode = 0uy }
let private ping length = { text true length with Opcode = 9uy }
let private close = { text true 2L with Opcode = 8uy }

/// Every sequence of so many frames that is allowed, and whether a message is open behind each.
let private conversations =
    let rec from count isOpen =
        [ yield []
          if count > 0 then
              let data = if isOpen then [ more true 0L; more true 1L; more false 1L ] else [ text true 0L; text true 1L; text false 1L ]
              for frame in data do
                  for rest in from (count - 1) (not frame.Final) do
                      yield (frame, not frame.Final) :: rest
              for frame in [ ping 1L; close ] do
                  for rest in from (count - 1) isOpen do
                      yield (frame, isOpen) :: rest ]
    from 4 false

/// The offsets at which a message, or what is outside of any, ends; up to the end of the first Close.
let private boundaries conversation =
    let rec go at frames =
        match frames with
        | [] -> []
        | (frame, isOpen) :: rest ->
            let ends = at + List.length (bytesOf frame)
            if frame.Opcode = 8uy then []
            else [ if not isOpen then ends
                   yield! go ends rest ]
    0 :: go 0 conversation

let private write (bytes: byte[]) webSocket = WebSocket.write (ReadOnlySpan bytes) webSocket

let private ask webSocket =
    let struct (next, now) = WebSocket.ask webSocket
    next, now

/// Writes the pieces and asks before the given one. What goes out, with -1 in the place of our Close, and the end.
let private play (pieces: byte[] list) askedBefore =
    let rec go i webSocket out pieces =
        let webSocket, out =
            if i <> askedBefore then webSocket, out
            else
                let webSocket, now = ask webSocket
                webSocket, (if now then -1 :: out else out)
        match pieces with
        | [] -> webSocket, List.rev out
        | piece :: rest ->
            let struct (next, pass, closes) = write piece webSocket
            let out = List.rev [ for b in Seq.take pass piece -> int b ] @ out
            go (i + 1) next (if closes then -1 :: out else out) rest
    go 0 WebSocket.initial [] pieces

[<Fact>]
let ``the Close goes out between two messages, at the first chance, once, and nothing follows it`` () =
    for conversation in conversations do
        let bytes = conversation |> List.collect (fst >> bytesOf) |> Array.ofList
        let ends = boundaries conversation
        for asked in 0 .. bytes.Length do
            // Asked there, with the rest in one write, in one of each byte, and with one cut more.
            let before = [ bytes[.. asked - 1] ]
            let rests =
                [ [ bytes[asked..] ]
                  [ for b in bytes[asked..] -> [| b |] ]
                  yield! [ for cut in asked + 1 .. bytes.Length - 1 -> [ bytes[asked .. cut - 1]; bytes[cut..] ] ] ]
            let wanted =
                match ends |> List.tryFind (fun boundary -> boundary >= asked) with
                | Some boundary -> [ for b in bytes[.. boundary - 1] -> int b ] @ [ -1 ]
                | None -> [ for b in bytes -> int b ]
            for rest in rests do
                let state, out = play (before @ rest) 1
                if out <> wanted then
                    Assert.Fail $"{conversation |> List.map fst}, asked at {asked}: {out} went out instead of {wanted}; then {WebSocket.closing state}"

[<Fact>]
let ``nobody who was not asked to drops anything`` () =
    for conversation in conversations do
        let bytes = conversation |> List.collect (fst >> bytesOf) |> Array.ofList
        let state, out = play [ bytes ] -1
        Assert.Equal<int list>([ for b in bytes -> int b ], out)
        let wanted = if conversation |> List.exists (fun (frame, _) -> frame.Opcode = 8uy) then Theirs else NotBegun
        Assert.Equal(wanted, WebSocket.closing state)

/// A WebSocket in each state that there is, between two messages and within one.
let private everyState =
    let within = let struct (next, _, _) = write [| 0x81uy |] WebSocket.initial in next
    let asked = fst (ask WebSocket.initial)
    let answered = let struct (next, _) = WebSocket.closedByPeer asked in next
    [ WebSocket.initial; within; fst (ask within); asked; answered; WebSocket.leaveAlone WebSocket.initial ]

[<Fact>]
let ``every state of the closing handshake is reached`` () =
    Assert.Equal<ClosingHandshake list>([ NotBegun; NotBegun; Due; Sent; Answered; Theirs ], everyState |> List.map WebSocket.closing)

[<Fact>]
let ``asked again, closed by the peer or left alone, each state goes where the table says`` () =
    let table =
        // state              asked (Close now)   the peer closed (answered)   left alone
        [ Sent, true,         (Theirs, false),    Theirs
          Due, false,         (Theirs, false),    Theirs
          Due, false,         (Theirs, false),    Theirs
          Sent, false,        (Answered, true),   Sent
          Answered, false,    (Answered, false),  Answered
          Theirs, false,      (Theirs, false),    Theirs ]
    for webSocket, (asked, now, peer, left) in List.zip everyState table do
        let next, closesNow = ask webSocket
        Assert.Equal((asked, now), (WebSocket.closing next, closesNow))
        let struct (next, answers) = WebSocket.closedByPeer webSocket
        Assert.Equal(peer, (WebSocket.closing next, answers))
        Assert.Equal(left, WebSocket.closing (WebSocket.leaveAlone webSocket))

[<Fact>]
let ``what comes after a Close of somebody else's goes out as it is, sense or not`` () =
    for webSocket in everyState do
        let struct (_, pass, closes) = write [| 0xFFuy; 0x00uy; 0x81uy |] webSocket
        match WebSocket.closing webSocket with
        | Sent | Answered -> Assert.Equal((0, false), (pass, closes))
        | NotBegun | Due | Theirs -> Assert.Equal((3, false), (pass, closes))

[<Fact>]
let ``a header makes sense exactly as the RFC has it`` () =
    for isOpen in [ false; true ] do
        let start =
            if not isOpen then FrameCursor.initial
            else
                let struct (_, cursor) = FrameCursor.advance (ReadOnlySpan [| 0x01uy; 0x00uy |]) FrameCursor.initial
                cursor
        for first in 0uy .. 255uy do
            for second in 0uy .. 255uy do
                let struct (_, cursor) = FrameCursor.advance (ReadOnlySpan [| first; second |]) start
                let length = second &&& 0x7Fuy
                let makesSense =
                    match first &&& 0x0Fuy with
                    | 0uy -> isOpen
                    | 1uy | 2uy -> not isOpen
                    | 8uy | 9uy | 10uy -> first >= 0x80uy && length <= 125uy
                    | _ -> false
                if FrameCursor.isGarbled cursor = makesSense then
                    Assert.Fail $"%x{first} %x{second}, a message is open: {isOpen}"
                // Only an empty one that is not masked has ended by now.
                Assert.Equal(makesSense && second = 0uy, FrameCursor.hasEnded cursor)

let private check (property: Property) =
    let config =
        Config.QuickThrowOnFailure
            .WithQuietOnSuccess(true)
            .WithMaxTest(500)
            .WithReplay(Some { Rnd = Rnd(2026UL, 0x9E3779B97F4A7C15UL); Size = None })
    Check.One(config, property)

let private frames =
    gen {
        let! length = Gen.elements [ 0L; 1L; 125L; 126L; 127L; 128L; 255L; 256L; 65535L; 65536L; 65537L ]
        let! opcode = Gen.elements [ 1uy; 2uy; 8uy; 9uy; 10uy ]
        let! masked = Gen.elements [ false; true ]
        return { Opcode = opcode; Final = true; Masked = masked; Length = if opcode >= 8uy then min length 125L else length }
    }

[<Fact>]
let ``a frame ends exactly after its last byte, whatever its length, masked or not, and however it is cut`` () =
    let cases = Gen.zip (Gen.nonEmptyListOf frames |> Gen.map (List.truncate 6)) (Gen.listOf (Gen.choose (1, 70_000)))
    check (
        Prop.forAll (Arb.fromGen cases) (fun (frames, cuts) ->
            let bytes = frames |> List.collect bytesOf |> Array.ofList
            let wanted = frames |> List.scan (fun at frame -> at + List.length (bytesOf frame)) 0 |> List.tail
            let rec go at cuts cursor ends =
                if at = bytes.Length then List.rev ends
                else
                    let size, cuts = match cuts with [] -> bytes.Length - at, [] | cut :: rest -> min cut (bytes.Length - at), rest
                    let struct (some, next) = FrameCursor.advance (ReadOnlySpan(bytes, at, size)) cursor
                    go (at + some) cuts next (if FrameCursor.hasEnded next then at + some :: ends else ends)
            go 0 cuts FrameCursor.initial [] = wanted)
    )

[<Fact>]
let ``a length of 63 bits is counted, one of 64 makes no sense`` () =
    let after (length: byte list) =
        let bytes = Array.ofList ([ 0x82uy; 0xFFuy ] @ length @ [ 1uy; 2uy; 3uy; 4uy ])
        let struct (_, cursor) = FrameCursor.advance (ReadOnlySpan bytes) FrameCursor.initial
        let struct (some, cursor) = FrameCursor.advance (ReadOnlySpan(Array.zeroCreate 1000)) cursor
        some, FrameCursor.isGarbled cursor, FrameCursor.hasEnded cursor
    Assert.Equal((1000, false, false), after (0x7Fuy :: List.replicate 7 0xFFuy))
    Assert.Equal((1000, true, false), after (0x80uy :: List.replicate 7 0uy))

[<Fact>]
let ``a Close of the peer's is found in any read, and none where there is none`` () =
    let masked frame = { frame with Masked = true }
    for before in [ []; [ text true 3L ]; [ text false 1L; ping 2L; more true 0L ] ] do
        for closes in [ false; true ] do
            let bytes = before @ [ if closes then close ] |> List.map masked |> List.collect bytesOf |> Array.ofList
            for cut in 0 .. bytes.Length do
                let struct (early, cursor) = FrameCursor.readAll (ReadOnlySpan(bytes, 0, cut)) FrameCursor.initial
                let struct (late, _) = FrameCursor.readAll (ReadOnlySpan(bytes, cut, bytes.Length - cut)) cursor
                Assert.Equal((closes && cut = bytes.Length, closes && cut < bytes.Length), (early, late))

[<Fact>]
let ``nothing is nothing`` () =
    let struct (some, cursor) = FrameCursor.advance ReadOnlySpan.Empty FrameCursor.initial
    Assert.Equal((0, FrameCursor.initial), (some, cursor))
    for webSocket in everyState do
        let struct (next, pass, closes) = write [||] webSocket
        Assert.Equal((webSocket, 0, false), (next, pass, closes))

[<Fact>]
let ``the drain closes whoever does not say that its requests must finish`` () =
    let told =
        [ ValueNone; ValueSome MustFinish; ValueSome(Within(TimeSpan.FromSeconds 1L)); ValueSome ToldOnly; ValueSome AbortAtOnce; ValueSome NotCounted ]
        |> List.map WebSocket.isTold
    Assert.Equal<bool list>([ true; false; true; true; true; true ], told)

[<Fact>]
let ``a write fails a second after our Close, if the application never reads`` () =
    for webSocket in everyState do
        for hasRead in [ false; true ] do
            for ticks in [ 0L; TimeSpan.TicksPerSecond - 1L; TimeSpan.TicksPerSecond; Int64.MaxValue ] do
                let isOurs = match WebSocket.closing webSocket with Sent | Answered -> true | NotBegun | Due | Theirs -> false
                let wanted = isOurs && not hasRead && ticks >= TimeSpan.TicksPerSecond
                Assert.Equal(wanted, WebSocket.isDeaf (TimeSpan ticks) hasRead webSocket)
