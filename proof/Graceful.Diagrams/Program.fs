/// Draws the pictures into the pages of a repository.
module Graceful.Diagrams.Program

open System.IO

let private (|Unwritable|_|) (error: exn) =
    match error with
    | :? IOException
    | :? System.UnauthorizedAccessException -> Some error.Message
    | _ -> None

let private draw root =
    let path (name: string) = Path.Combine(root, name)
    Directory.CreateDirectory(path "docs/machines") |> ignore
    for _, picture in Book.pictures do
        let picture = picture.Force()
        printfn $"{picture.Sketch.Title}: {picture.Sketch.Boxes.Length} boxes, {picture.Arrows.Length} arrows. {picture.Source}"
    for name in Book.files do
        let text = Book.draw (path >> File.ReadAllText) name
        let isNew = not (File.Exists(path name)) || File.ReadAllText(path name) <> text
        if isNew then File.WriteAllText(path name, text)
        let verdict = if isNew then "drawn anew" else "as it was"
        printfn $"  %-50s{name}{verdict}"

[<EntryPoint>]
let main arguments =
    match arguments with
    | [| root |] when File.Exists(Path.Combine(root, "Graceful.slnx")) ->
        try
            draw root
            0
        with
        | Failure message
        | Unwritable message ->
            eprintfn $"{message}"
            1
    | _ ->
        eprintfn "Usage: Graceful.Diagrams ROOT    draws into docs/ and README.md of the repository in ROOT, where Graceful.slnx is"
        2
