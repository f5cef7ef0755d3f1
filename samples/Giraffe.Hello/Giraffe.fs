// What of Giraffe the sample and the tests use, in Giraffe's shapes, for a build without Giraffe. With -p:GiraffeVersion=...
// the real one takes its place, and no line of the sample and the tests changes.
namespace Giraffe

open System
open System.Runtime.CompilerServices
open System.Text
open System.Threading.Tasks
open Microsoft.AspNetCore.Builder
open Microsoft.AspNetCore.Http
open Microsoft.Extensions.DependencyInjection

[<AutoOpen>]
module Core =

    type HttpFuncResult = Task<HttpContext option>

    type HttpFunc = HttpContext -> HttpFuncResult

    type HttpHandler = HttpFunc -> HttpFunc

    let earlyReturn: HttpFunc = Some >> Task.FromResult

    let compose (handler1: HttpHandler) (handler2: HttpHandler) : HttpHandler =
        fun final ->
            let func = final |> handler2 |> handler1
            fun ctx -> if ctx.Response.HasStarted then final ctx else func ctx

    let (>=>) = compose

    let choose (handlers: HttpHandler list) : HttpHandler =
        fun next ->
            let funcs = handlers |> List.map (fun handler -> handler next)

            let rec first (funcs: HttpFunc list) (ctx: HttpContext) : HttpFuncResult =
                task {
                    match funcs with
                    | [] -> return None
                    | func :: others ->
                        match! func ctx with
                        | Some answered -> return Some answered
                        | None -> return! first others ctx
                }

            first funcs

[<AutoOpen>]
module Routing =

    let route (path: string) : HttpHandler =
        fun next ctx -> if ctx.Request.Path.Value = path then next ctx else Task.FromResult None

[<AutoOpen>]
module ResponseWriters =

    let text (str: string) : HttpHandler =
        let bytes = Encoding.UTF8.GetBytes str

        fun _ ctx ->
            task {
                ctx.Response.ContentType <- "text/plain; charset=utf-8"
                ctx.Response.ContentLength <- Nullable bytes.LongLength

                if not (HttpMethods.IsHead ctx.Request.Method) then
                    do! ctx.Response.Body.WriteAsync(bytes, 0, bytes.Length)

                return Some ctx
            }

[<AutoOpen>]
module Middleware =

    type GiraffeMiddleware(next: RequestDelegate, handler: HttpHandler) =
        let func = handler earlyReturn

        member _.Invoke(ctx: HttpContext) : Task =
            task {
                match! func ctx with
                | Some _ -> ()
                | None -> do! next.Invoke ctx
            }

    [<Extension>]
    type ApplicationBuilderExtensions =

        [<Extension>]
        static member UseGiraffe(builder: IApplicationBuilder, handler: HttpHandler) : unit =
            builder.UseMiddleware<GiraffeMiddleware> handler |> ignore

    [<Extension>]
    type ServiceCollectionExtensions =

        [<Extension>]
        static member AddGiraffe(services: IServiceCollection) : IServiceCollection = services
