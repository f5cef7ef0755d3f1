/// The pictures that were committed are those that the core's own steps draw.
module Graceful.Diagrams.Tests.CommittedPictures

open System
open System.IO
open Graceful.Diagrams
open Xunit

/// The build copies the pages beside the tests.
let private committed (name: string) =
    let inOutput = if name.StartsWith("docs/", StringComparison.Ordinal) then name.Substring 5 else name
    Path.Combine(AppContext.BaseDirectory, "committed", inOutput)

let private read name = File.ReadAllText(committed name)

let files = TheoryData<string> Book.files

[<Theory; MemberData(nameof files)>]
let ``a committed picture shows what step does`` (name: string) =
    let drawn = Book.draw read name
    Assert.True(File.Exists(committed name), $"{name} is missing: run dotnet fsi build.fsx diagrams")
    match Book.firstDifference (read name) drawn with
    | None -> ()
    | Some(line, was, is) ->
        Assert.Fail $"{name} differs from what step says: run dotnet fsi build.fsx diagrams\nline {line}\n  committed: {was}\n  drawn:     {is}"

[<Fact>]
let ``every file among the pictures is one of them`` () =
    let drawn = [ for name in Book.files do if name.EndsWith(".svg", StringComparison.Ordinal) then FileInfo(name).Name ]
    let found = [ for file in Directory.GetFiles(committed "docs/machines") -> FileInfo(file).Name ]
    Assert.Equal<string list>(List.sort drawn, List.sort found)

[<Fact>]
let ``a page without the marks of its picture is refused, and told which`` () =
    let broken name = (read name).Replace("<!-- end of picture: gate -->", "")
    let error = Assert.Throws<Exception>(fun () -> Book.draw broken "docs/machines.md" |> ignore)
    Assert.Contains("docs/machines.md must have the lines '<!-- picture: gate -->'", error.Message)

[<Fact>]
let ``what stands beside a picture is left alone`` () =
    let page = "# Before\n<!-- picture: lifecycle-way-out -->\nold\n<!-- end of picture: lifecycle-way-out -->\nAfter\n"
    let drawn = Book.draw (fun _ -> page) "README.md"
    Assert.StartsWith("# Before\n<!-- picture: lifecycle-way-out -->\n```mermaid\nstateDiagram-v2\n", drawn)
    Assert.EndsWith("```\n<!-- end of picture: lifecycle-way-out -->\nAfter\n", drawn)
    Assert.DoesNotContain("old", drawn)

[<Fact>]
let ``the first difference is found, also at the end`` () =
    Assert.Equal(None, Book.firstDifference "a\r\nb\n" "a\nb\n")
    Assert.Equal(Some(2, "b", "c"), Book.firstDifference "a\nb\nd" "a\nc\ne")
    Assert.Equal(Some(2, "(the end)", "b"), Book.firstDifference "a" "a\nb")
