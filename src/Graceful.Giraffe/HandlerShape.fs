namespace Graceful.Giraffe

open System.Threading.Tasks
open Microsoft.AspNetCore.Http

/// <summary>
/// The shapes of Giraffe's handlers. Giraffe's own are abbreviations of the same types, so that a function of this shape is a
/// handler of every version of Giraffe, and this package needs none.
/// </summary>
[<RequireQualifiedAccess>]
module HandlerShape =

    /// <summary>What became of a request: <c>Some</c> when it is answered, <c>None</c> when somebody else may answer it.</summary>
    type HttpFuncResult = Task<HttpContext option>

    /// <summary>What is done with a request.</summary>
    type HttpFunc = HttpContext -> HttpFuncResult

    /// <summary>Does its part and hands on to what comes next; <c>&gt;=&gt;</c> joins two.</summary>
    type HttpHandler = HttpFunc -> HttpFunc
