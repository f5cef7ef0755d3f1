/// The pages and files that the pictures are in.
module Graceful.Diagrams.Book

open System

/// Every picture by its name. Each is drawn when somebody asks for it, so that one that cannot be drawn hides no other.
let pictures =
    [ LifecyclePictures.wayOutSketch.Name, lazy (LifecyclePictures.wayOut ())
      LifecyclePictures.idleSketch.Name, lazy (LifecyclePictures.idleAndHandOver ())
      LifecyclePictures.backSketch.Name, lazy (LifecyclePictures.andBack ())
      GatePicture.sketch.Name, lazy (GatePicture.gate ())
      ConnectionPictures.lifeSketch.Name, lazy (ConnectionPictures.life ())
      ConnectionPictures.wayOutSketch.Name, lazy (ConnectionPictures.wayOut ()) ]

let private picture name = (pictures |> List.find (fun (other, _) -> other = name) |> snd).Value

/// The page that explains the machines has every picture as Mermaid, README the most important one.
let private pages = [ "docs/machines.md", List.map fst pictures; "README.md", [ LifecyclePictures.wayOutSketch.Name ] ]

let private svgs = [ for name, _ in pictures -> $"docs/machines/{name}.svg", name ]

/// All files that have a picture, seen from the root of the repository.
let files = List.map fst svgs @ List.map fst pages

/// Puts a picture between its two marks on a page.
let private inserted page (text: string) name =
    let opening, closing = $"<!-- picture: {name} -->\n", $"<!-- end of picture: {name} -->"
    let from, until = text.IndexOf(opening, StringComparison.Ordinal), text.IndexOf(closing, StringComparison.Ordinal)
    if from < 0 || until < from then
        failwith $"{page} must have the lines '{opening.Trim()}' and '{closing}', in this order: the picture goes between them."
    text.Substring(0, from) + opening + "```mermaid\n" + Mermaid.draw (picture name) + "```\n" + text.Substring until

/// What must be in a file. `read` gives what is in a page now, for what stands around the pictures.
let draw (read: string -> string) file =
    match svgs |> List.tryFind (fun (svg, _) -> svg = file) with
    | Some(_, name) -> Svg.draw (Layout.make (picture name))
    | None ->
        let _, names = pages |> List.find (fun (page, _) -> page = file)
        ((read file).ReplaceLineEndings "\n", names) ||> List.fold (inserted file)

/// The first line in which two texts differ, if they do: its number, and what each has there.
let firstDifference (committed: string) (drawn: string) =
    let a, b = committed.ReplaceLineEndings("\n").Split '\n', drawn.Split '\n'
    let line (lines: string[]) i = if i < lines.Length then lines[i] else "(the end)"
    Seq.init (max a.Length b.Length) id
    |> Seq.tryFind (fun i -> line a i <> line b i)
    |> Option.map (fun i -> i + 1, line a i, line b i)
