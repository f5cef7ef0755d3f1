/// The pages and files that the pictures are in.
module Graceful.Diagrams.Book

open System

let pictures =
    lazy
        [ LifecyclePictures.wayOut ()
          LifecyclePictures.idleAndHandOver ()
          GatePicture.gate ()
          ConnectionPictures.life ()
          ConnectionPictures.wayOut () ]

/// The page that explains the machines has every picture as Mermaid, README the most important one.
let private pages () = [ "docs/machines.md", [ for p in pictures.Value -> p.Sketch.Name ]; "README.md", [ "lifecycle-way-out" ] ]

let private fileOf picture = $"docs/machines/{picture.Sketch.Name}.svg"

/// Puts a picture between its two marks on a page.
let private inserted page (text: string) name =
    let picture = pictures.Value |> List.find (fun p -> p.Sketch.Name = name)
    let opening, closing = $"<!-- picture: {name} -->\n", $"<!-- end of picture: {name} -->"
    let from, until = text.IndexOf(opening, StringComparison.Ordinal), text.IndexOf(closing, StringComparison.Ordinal)
    if from < 0 || until < from then
        failwith $"{page} must have the lines '{opening.Trim()}' and '{closing}', in this order: the picture goes between them."
    text.Substring(0, from) + opening + "```mermaid\n" + Mermaid.draw picture + "```\n" + text.Substring until

/// The names of all files that have a picture, seen from the root of the repository.
let names () = List.map fileOf pictures.Value @ List.map fst (pages ())

/// Every file that has a picture, and what must be in it. `read` gives what is in a page now.
let files (read: string -> string) =
    [ for picture in pictures.Value -> fileOf picture, Svg.draw (Layout.make picture)
      for page, names in pages () -> page, ((read page).ReplaceLineEndings "\n", names) ||> List.fold (inserted page) ]

/// The first line in which two texts differ, if they do: its number, and what each has there.
let firstDifference (committed: string) (drawn: string) =
    let a, b = committed.ReplaceLineEndings("\n").Split '\n', drawn.Split '\n'
    let line (lines: string[]) i = if i < lines.Length then lines[i] else "(the end)"
    Seq.init (max a.Length b.Length) id
    |> Seq.tryFind (fun i -> line a i <> line b i)
    |> Option.map (fun i -> i + 1, line a i, line b i)
