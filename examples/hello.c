/* Three resources; the page announces the other two before it is sent.
 *     cc hello.c -lherald -o hello && ./hello 127.0.0.1:8443
 *     herald get -v https://127.0.0.1:8443/
 */
#include <herald.h>
#include <stdio.h>
#include <string.h>

static char css[] = "body { color: navy }\n", js[] = "console.log('hello')\n";

static void page(herald_exchange *exchange, void *user)
{
    static const char html[] = "<link rel=stylesheet href=/style.css><script src=/app.js></script>";
    const herald_field hint = {"link", "</app.js>; rel=preload; as=script"};
    const herald_field accept = {"accept", "text/css"};
    (void)user;
    herald_exchange_inform(exchange, 103, &hint, 1);
    herald_exchange_push(exchange, "/style.css", &accept, 1);
    herald_exchange_reply(exchange, 200, "text/html; charset=utf-8", html, strlen(html));
}

static void text(herald_exchange *exchange, void *user)
{
    herald_exchange_reply(exchange, 200, user == css ? "text/css" : "text/javascript", user,
                          strlen(user));
}

int main(int argc, char **argv)
{
    herald_server *server = herald_server_new();
    herald_server_handle(server, "", page, NULL);
    herald_server_handle(server, "/style.css", text, css);
    herald_server_handle(server, "/app.js", text, js);
    herald_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8443");
    if (herald_server_start(server) == 0)
        fprintf(stderr, "%s/\n", herald_server_address(server, 0));
    int result = herald_server_run(server);
    herald_server_free(server);
    return result == 0 ? 0 : 1;
}
