// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package page serves the live page, a bundle that is built from ../../page and
// embedded, so that building the collector needs no Node.
package page

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/klauspost/compress/gzhttp"
)

//go:embed assets
var embedded embed.FS

// immutable is the folder of the files whose name carries a hash of their content.
const immutable = "static/"

// Handler serves the page at / and its files below it.
func Handler() http.Handler {
	bundle, _ := fs.Sub(embedded, "assets") // its name is a valid one
	files, tag := http.FileServerFS(bundle), tagOf(bundle)
	serve := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		if info, err := fs.Stat(bundle, name); name != "" && (err != nil || info.IsDir()) {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the page can only be read", http.StatusMethodNotAllowed)
			return
		}
		header := w.Header()
		header.Set("Content-Type", contentType(name))
		header.Set("ETag", tag)
		header.Set("Cache-Control", "no-cache")
		if strings.HasPrefix(name, immutable) {
			header.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		files.ServeHTTP(w, r)
	})
	compress, _ := gzhttp.NewWrapper(gzhttp.MinSize(0)) // a valid size
	return compress(serve)
}

// tagOf is a hash of all files, which change together. It is weak: compressed or not, they are the same.
func tagOf(bundle fs.FS) string {
	hash := sha256.New()
	_ = fs.WalkDir(bundle, ".", func(name string, entry fs.DirEntry, _ error) error {
		if entry.IsDir() {
			return nil
		}
		content, err := fs.ReadFile(bundle, name) // what is embedded can always be read
		hash.Write(content)
		return err
	})
	return `W/"` + hex.EncodeToString(hash.Sum(nil)[:8]) + `"`
}

// contentType does not ask the machine's own tables, which differ.
func contentType(name string) string {
	switch path.Ext(name) {
	case "":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".txt":
		return "text/plain; charset=utf-8"
	default: // .html, .css and .svg are built in
		return mime.TypeByExtension(path.Ext(name))
	}
}
