"""The bookstall web application."""

from flask import Flask, abort, jsonify, request, session

from bookstall import catalogue, covers, customers, opinions, settings


def create_app() -> Flask:
    app = Flask(__name__)
    app.config.from_object(settings)

    @app.post("/sessions")
    def sign_in():
        session["customer"] = customers.check(request.form["name"], request.form["password"]) or abort(401)
        session.permanent = True
        return "", 204

    @app.get("/books")
    def books():
        return jsonify(catalogue.load(settings.CATALOGUE))

    @app.put("/books")
    def replace_books():
        settings.CATALOGUE.write_bytes(request.get_data())
        return "", 204

    @app.get("/books/<isbn>/cover")
    def cover(isbn: str):
        image = covers.thumbnail(isbn)
        if image is None:
            abort(404)
        return image, 200, {"Content-Type": "image/webp"}

    @app.post("/books/<isbn>/opinions")
    def add_opinion(isbn: str):
        return opinions.as_html(request.form["text"])

    return app
