//! Paths, and who answers them.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Request};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value as Json, json};

use crate::asked::chat::Chat;
use crate::asked::completion::Completion;
use crate::error::Error;
use crate::web::answer::answer;
use crate::web::app::App;
use crate::web::body;
use crate::web::prompts::Work;
use crate::web::reply::Reply;

type Shared = State<Arc<App>>;

const HEALTH: &str = "/health";
const COMPLETIONS: &str = "/v1/completions";
const CHAT: &str = "/v1/chat/completions";

/// Everything that is answered.
pub(crate) fn router(app: Arc<App>) -> Router {
    let cors = app.guard.cors();
    let router = Router::new()
        .route(HEALTH, get(health))
        .route("/v1/models", get(models))
        .route("/v1/models/{*name}", get(model))
        .route(COMPLETIONS, post(completions))
        .route(CHAT, post(chat))
        .route("/metrics", get(metrics))
        .fallback(no_path)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(app.clone(), guard))
        .with_state(app);
    match cors {
        Some(cors) => router.layer(cors),
        None => router,
    }
}

/// Refuses who may not ask; whether the server lives, everybody may know.
async fn guard(State(app): Shared, request: Request<Body>, next: Next) -> Response {
    match app.guard.check(request.headers(), request.uri().path() == HEALTH) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

async fn health(State(app): Shared) -> Response {
    let (status, word) = if app.is_stopping() { (503, "stopping") } else { (200, "ok") };
    Reply::json(status, &json!({ "status": word })).into_response()
}

async fn metrics(State(app): Shared) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], app.metrics.text()).into_response()
}

async fn models(State(app): Shared) -> Response {
    Reply::json(200, &json!({ "object": "list", "data": [described(&app)] })).into_response()
}

async fn model(State(app): Shared, Path(name): Path<String>) -> Result<Response, Error> {
    app.is_served(&name)?;
    Ok(Reply::json(200, &described(&app)).into_response())
}

/// The limits stand beside OpenAI's fields, under the name that vLLM gives the context.
fn described(app: &App) -> Json {
    json!({
        "id": app.name,
        "object": "model",
        "created": app.created,
        "owned_by": "camelid",
        "max_model_len": app.limits.context,
    })
}

async fn completions(State(app): Shared, request: Request<Body>) -> Response {
    let read = |app: &App, body: &[u8]| Work::of_completion(app, Completion::read(body)?);
    ask(app, request, COMPLETIONS, read).await
}

async fn chat(State(app): Shared, request: Request<Body>) -> Response {
    let read = |app: &App, body: &[u8]| Work::of_chat(app, Chat::read(body)?);
    ask(app, request, CHAT, read).await
}

/// Reads a request, and answers it.
async fn ask(
    app: Arc<App>,
    request: Request<Body>,
    path: &'static str,
    read: fn(&App, &[u8]) -> Result<Work, Error>,
) -> Response {
    let begin = Instant::now();
    let answered = async {
        if app.is_stopping() {
            return Err(Error::stopping());
        }
        let body = body::read(request, app.limits.body, app.limits.arrival).await?;
        let shared = app.clone();
        // Templates and tokenizers take their time.
        let work = tokio::task::spawn_blocking(move || read(&shared, &body)).await;
        let work = work.map_err(|_| Error::internal("the request could not be read"))??;
        answer(app.clone(), work, begin, path).await
    };
    answered.await.unwrap_or_else(|error| {
        let (status, took) = (error.status, begin.elapsed());
        tracing::info!(
            path,
            status,
            param = error.param,
            code = error.code,
            seconds = took.as_secs_f64(),
            "refused"
        );
        app.metrics.answered(path, status, took);
        error.into_response()
    })
}

async fn no_path(method: Method, request: Request<Body>) -> Error {
    let path: String = request.uri().path().chars().take(128).collect();
    let message = format!(
        "there is no {method} {path}; there are {COMPLETIONS}, {CHAT}, /v1/models, /health and /metrics"
    );
    Error::new(404, "invalid_request_error", message).coded("unknown_url")
}

async fn no_method(method: Method, request: Request<Body>) -> Error {
    let path: String = request.uri().path().chars().take(128).collect();
    let message = format!("{path} does not take {method}");
    Error::new(405, "invalid_request_error", message).coded("method_not_supported")
}
