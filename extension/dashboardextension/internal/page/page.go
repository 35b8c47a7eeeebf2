// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package page serves the live page, a bundle that is built from ../../page and
// embedded, so that building the collector needs no Node.
package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

//go:embed assets
var embedded embed.FS

// immutable is the folder of the files whose name carries a hash of their content.
const immutable = "static/"

// asset is one file of the bundle.
type asset struct {
	content     []byte
	compressed  func() []byte // made when it is first asked for
	hash        string
	contentType string
	cache       string
}

// Handler serves the page at / and its files below it.
func Handler() http.Handler {
	return &handler{assets: load()}
}

type handler struct{ assets map[string]*asset }

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if name == "" {
		name = "index.html"
	}
	file, found := h.assets[name]
	if !found {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the page can only be read", http.StatusMethodNotAllowed)
		return
	}
	file.serve(w, r)
}

func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", a.contentType)
	header.Set("Cache-Control", a.cache)
	header.Set("Vary", "Accept-Encoding")
	content, tag := a.content, a.hash
	if AcceptsGzip(r.Header.Get("Accept-Encoding")) {
		content, tag = a.compressed(), a.hash+"-gzip"
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("ETag", `"`+tag+`"`)
	// It answers If-None-Match and HEAD.
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// AcceptsGzip reads an Accept-Encoding header.
func AcceptsGzip(header string) bool {
	for coding := range strings.SplitSeq(header, ",") {
		name, quality, _ := strings.Cut(coding, ";")
		if strings.TrimSpace(name) == "gzip" {
			quality = strings.TrimLeft(strings.TrimPrefix(strings.TrimSpace(quality), "q="), "0.")
			return quality != "" || !strings.Contains(coding, ";")
		}
	}
	return false
}

// load reads the bundle. What is embedded can always be read.
func load() map[string]*asset {
	assets := map[string]*asset{}
	_ = fs.WalkDir(embedded, "assets", func(file string, entry fs.DirEntry, _ error) error {
		if entry.IsDir() {
			return nil
		}
		content, err := embedded.ReadFile(file)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(file, "assets/")
		sum := sha256.Sum256(content)
		a := &asset{
			content:     content,
			compressed:  sync.OnceValue(func() []byte { return compress(content) }),
			hash:        hex.EncodeToString(sum[:8]),
			contentType: contentType(name),
			cache:       "no-cache",
		}
		if strings.HasPrefix(name, immutable) {
			a.cache = "public, max-age=31536000, immutable"
		}
		assets[name] = a
		return nil
	})
	return assets
}

// contentType does not ask the machine's own tables, which differ.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".txt":
		return "text/plain; charset=utf-8"
	default: // .html, .css and .svg are built in
		return mime.TypeByExtension(path.Ext(name))
	}
}

func compress(content []byte) []byte {
	var buffer bytes.Buffer
	writer, _ := gzip.NewWriterLevel(&buffer, gzip.BestCompression) // the level is a valid one
	_, _ = writer.Write(content)                                    // a buffer takes everything
	_ = writer.Close()
	return buffer.Bytes()
}
