namespace Graceful.Core.Tests.Simulation

open System

/// Every choice of a simulated life is drawn here, one after the other. Drawn from (seed, life) it is random; replayed
/// from a list it is that list and then nought, and nought is always the plainest choice: shorter lists, simpler lives.
[<Sealed>]
type Choices() =
    let mutable state = 0UL
    let mutable made: byte[] = Array.zeroCreate 4096
    let mutable count = 0
    let mutable script: byte[] | null = null

    member _.Draw(seed: uint64, life: int) =
        state <- seed * 0x9E3779B97F4A7C15UL + uint64 life * 0xD1342543DE82EF95UL
        count <- 0
        script <- null

    member _.Replay(choices: byte[]) =
        count <- 0
        script <- choices

    /// A number from 0 to `bound - 1`; `bound` is at most 256.
    member _.Next bound =
        let choice =
            match script with
            | null ->
                // SplitMix64: good enough for this, and a life needs no state but one word.
                state <- state + 0x9E3779B97F4A7C15UL
                let a = (state ^^^ (state >>> 30)) * 0xBF58476D1CE4E5B9UL
                let b = (a ^^^ (a >>> 27)) * 0x94D049BB133111EBUL
                int ((((b ^^^ (b >>> 31)) >>> 32) * uint64 bound) >>> 32)
            | script -> if count < script.Length then int script[count] % bound else 0
        if count = made.Length then Array.Resize(&made, 2 * made.Length)
        made[count] <- byte choice
        count <- count + 1
        choice

    /// What was chosen so far, without the noughts at the end.
    member _.Made =
        let mutable last = count
        while last > 0 && made[last - 1] = 0uy do
            last <- last - 1
        Array.sub made 0 last
