/// The small faults of `faults.txt`, as the one who plants them and the test that watches over the list read them.
module Graceful.Proof.Faults

open System
open System.IO

type Fault =
    { /// What is wrong then, in a sentence.
      Name: string
      /// What the sound core says, in one place.
      Text: string
      /// What stands there in the faulty one.
      Instead: string
      /// Why nobody can tell the difference, of a fault that makes none.
      Harmless: string option }

let private isMarked (mark: string) (line: string) = line = mark || line.StartsWith(mark + " ", StringComparison.Ordinal)

let private fault (number, lines: string list) =
    let marked mark = lines |> List.filter (isMarked mark) |> List.map (fun line -> line.Substring(min 2 line.Length))
    let isName line = not (List.exists (fun mark -> isMarked mark line) [ "-"; "+"; "=" ])
    match List.filter isName lines, marked "-" with
    | [ name ], text when name = List.head lines && text <> [] ->
        { Name = name
          Text = String.concat "\n" text
          Instead = String.concat "\n" (marked "+")
          Harmless = (match marked "=" with [] -> None | why -> Some(String.concat " " why)) }
    | _ -> failwith $"faults.txt, line {number}: a fault is a sentence, and then lines that begin with '- ', '+ ' or '= '."

/// Every fault of a file, in its order. Blank lines are between them; a line with `#` is for the reader.
let read file =
    let rec blocks number (lines: string list) block found =
        let closed = match block with [] -> found | block -> (number - List.length block, List.rev block) :: found
        match lines with
        | [] -> List.rev closed
        | line :: rest when line.StartsWith '#' -> blocks (number + 1) rest [] closed
        | line :: rest when String.IsNullOrWhiteSpace line -> blocks (number + 1) rest [] closed
        | line :: rest -> blocks (number + 1) rest (line.TrimEnd() :: block) found
    blocks 1 (List.ofArray (File.ReadAllLines file)) [] [] |> List.map fault

/// How often a text occurs.
let count (text: string) (within: string) =
    let rec from (start: int) n =
        match within.IndexOf(text, start, StringComparison.Ordinal) with
        | -1 -> n
        | i -> from (i + 1) (n + 1)
    from 0 0

/// What keeps a fault from being planted, if something does.
let unfit (core: string) fault =
    match count fault.Text core with
    | 1 when fault.Instead <> fault.Text -> None
    | 1 -> Some $"'{fault.Name}' changes nothing."
    | 0 -> Some $"'{fault.Name}' replaces a text that is not in the core any more: {fault.Text}"
    | n -> Some $"'{fault.Name}' replaces a text that is in the core {n} times: {fault.Text}"

let plant (core: string) fault = core.Replace(fault.Text, fault.Instead)
