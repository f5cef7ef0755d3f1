namespace Graceful.Core.Tests.Simulation

open System

/// One number makes a life. A run of many lives has a seed as well, and its first life is the one of that very number:
/// so every life can be lived again as a run of one.
module Seed =
    [<Literal>]
    let private Golden = 0x9E3779B97F4A7C15UL

    /// SplitMix64's last words: neighbours go in, and what comes out has nothing in common.
    let scramble (seed: uint64) =
        let a = (seed ^^^ (seed >>> 30)) * 0xBF58476D1CE4E5B9UL
        let b = (a ^^^ (a >>> 27)) * 0x94D049BB133111EBUL
        b ^^^ (b >>> 31)

    let ofLife (run: uint64) (life: int64) = if life = 0L then run else scramble (run + uint64 life * Golden)

/// Every choice of a simulated life is drawn here, one after the other. Drawn from a seed it is random; replayed
/// from a list it is that list and then nought, and nought is always the plainest choice: shorter lists, simpler lives.
[<Sealed>]
type Choices() =
    let mutable state = 0UL
    let mutable made: byte[] = Array.zeroCreate 4096
    let mutable count = 0
    let mutable script: byte[] | null = null

    member _.Draw seed =
        state <- Seed.scramble (seed + 1UL)
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
                int (((Seed.scramble state >>> 32) * uint64 bound) >>> 32)
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
