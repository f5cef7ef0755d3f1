namespace Graceful.Proof

open System

/// Every state that was found, once, in the order in which it was found, with the one it was first reached from.
[<Sealed>]
type States(size: int) =
    let chunkBits = 18
    let words = size / 8
    let perChunk = 1 <<< chunkBits
    let mutable chunks: uint64[][] = [||]
    let mutable parents: int[][] = [||]
    let mutable count = 0
    let mutable table: int[] = Array.create (1 <<< 16) -1
    let key: uint64[] = Array.zeroCreate words

    let hash (state: uint64[]) (at: int) =
        let mutable h = 0x9E3779B97F4A7C15UL
        for w in 0 .. words - 1 do
            h <- (h ^^^ state[at + w]) * 0xD6E8FEB86659FD93UL
            h <- h ^^^ (h >>> 32)
        h <- h * 0xD6E8FEB86659FD93UL
        int ((h ^^^ (h >>> 29)) &&& 0x7FFFFFFFUL)

    let chunkOf index = chunks[index >>> chunkBits]
    let offsetOf index = (index &&& (perChunk - 1)) * words

    let same index =
        let chunk = chunkOf index
        let at = offsetOf index
        let mutable w = 0
        while w < words && chunk[at + w] = key[w] do
            w <- w + 1
        w = words

    /// Where the key is, or the free place where it belongs.
    let place () =
        let mask = table.Length - 1
        let mutable slot = hash key 0 &&& mask
        while table[slot] >= 0 && not (same table[slot]) do
            slot <- (slot + 1) &&& mask
        slot

    let grow () =
        let larger = Array.create (table.Length * 2) -1
        let mask = larger.Length - 1
        for index in 0 .. count - 1 do
            let mutable slot = hash (chunkOf index) (offsetOf index) &&& mask
            while larger[slot] >= 0 do
                slot <- (slot + 1) &&& mask
            larger[slot] <- index
        table <- larger

    let read (state: byte[]) = Buffer.BlockCopy(state, 0, key, 0, size)

    member _.Count = count

    /// Adds a state; false when it was there before.
    member _.TryAdd(state: byte[], parent: int) =
        read state
        let slot = place ()
        if table[slot] >= 0 then
            false
        else
            if count &&& (perChunk - 1) = 0 then
                chunks <- Array.append chunks [| Array.zeroCreate (perChunk * words) |]
                parents <- Array.append parents [| Array.zeroCreate perChunk |]
            table[slot] <- count
            Array.Copy(key, 0, chunkOf count, offsetOf count, words)
            parents[count >>> chunkBits][count &&& (perChunk - 1)] <- parent
            count <- count + 1
            if count > table.Length / 2 then grow ()
            true

    /// The number of a state that was found.
    member _.Find(state: byte[]) =
        read state
        table[place ()]

    member _.CopyTo(index: int, state: byte[]) = Buffer.BlockCopy(chunkOf index, offsetOf index * 8, state, 0, size)

    member _.Parent(index: int) = parents[index >>> chunkBits][index &&& (perChunk - 1)]
