/// What was asked for on the command line, and what is wrong with it in words.
module Graceful.Soak.CommandLine

open System
open Graceful.Core.Tests.Simulation

type Wish =
    { Events: int64
      Lives: int64
      Seed: uint64
      Connections: int
      Threads: int
      Planted: Planted }

let usage =
    let mistakes = String.Join(", ", Enum.GetNames<Planted>() |> Array.tail)
    $"""soak [--events N] [--seed S] [--lives N] [--connections N] [--threads N] [--plant MISTAKE]

  --events N       go on until the three machines took so many steps (default 100000000)
  --seed S         the seed of the run, and of its first life (default: a new one each time)
  --lives N        no more lives than that; with the seed of a broken life, 1 tells its story
  --connections N  at most so many connections in a life (1 to 4000, default 500)
  --threads N      threads, one life at a time each (default: one for each processor)
  --plant MISTAKE  let the adapters make a mistake, and see it found:
                   {mistakes}"""

let private initial =
    { Events = 100_000_000L
      Lives = Int64.MaxValue
      Seed = uint64 (Random.Shared.NextInt64(1L, 1_000_000_000L))
      Connections = 500
      Threads = Environment.ProcessorCount
      Planted = Planted.NoMistake }

/// A whole number as people write it: 1000000, 1_000_000 or 1e9.
let private number (option: string) (least: int64) (most: int64) (text: string) =
    let digits = text.Replace("_", "").Replace(",", "")
    match Decimal.TryParse(digits, Globalization.NumberStyles.Float, Globalization.CultureInfo.InvariantCulture) with
    | true, n when n = Math.Truncate n && n >= decimal least && n <= decimal most -> Ok(int64 n)
    | _ -> Error $"{option} takes a whole number from {least} to {most}, and not '{text}'."

let private seed (text: string) =
    match UInt64.TryParse text with
    | true, n -> Ok n
    | false, _ -> Error $"--seed takes a whole number from 0 to {UInt64.MaxValue}, and not '{text}'."

let private mistake (text: string) =
    match Enum.TryParse<Planted>(text, true) with
    | true, planted when Enum.IsDefined planted && not (Char.IsDigit text[0]) -> Ok planted
    | _ -> Error $"--plant knows no '{text}'."

let rec private read wish (arguments: string list) =
    match arguments with
    | [] -> Ok wish
    | "--events" :: text :: rest -> text |> number "--events" 1L 1_000_000_000_000_000L |> Result.bind (fun n -> read { wish with Events = n } rest)
    | "--lives" :: text :: rest -> text |> number "--lives" 1L Int64.MaxValue |> Result.bind (fun n -> read { wish with Lives = n } rest)
    | "--seed" :: text :: rest -> seed text |> Result.bind (fun n -> read { wish with Seed = n } rest)
    | "--connections" :: text :: rest ->
        text |> number "--connections" 1L 4000L |> Result.bind (fun n -> read { wish with Connections = int n } rest)
    | "--threads" :: text :: rest -> text |> number "--threads" 1L 1024L |> Result.bind (fun n -> read { wish with Threads = int n } rest)
    | "--plant" :: text :: rest -> mistake text |> Result.bind (fun planted -> read { wish with Planted = planted } rest)
    | [ "--events" | "--lives" | "--seed" | "--connections" | "--threads" | "--plant" as option ] -> Error $"{option} needs a value."
    | other :: _ -> Error $"There is no option '{other}'."

let parse arguments = read initial arguments
