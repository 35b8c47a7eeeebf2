// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ask gives the answer to a request with headers, each "name: value".
func ask(method, path string, headers ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	Handler().ServeHTTP(recorder, request)
	return recorder
}

var references = regexp.MustCompile(`(?:href|src)="([^"]+)"`)

func TestThePageNamesFilesThatAreThere(t *testing.T) {
	t.Parallel()
	response := ask(http.MethodGet, "/")
	assert.Equal(t, "text/html; charset=utf-8", response.Header().Get("Content-Type"))
	assert.Equal(t, "no-cache", response.Header().Get("Cache-Control"))
	types := map[string]string{}
	for _, reference := range references.FindAllStringSubmatch(response.Body.String(), -1) {
		file := ask(http.MethodGet, "/"+reference[1])
		assert.Equal(t, http.StatusOK, file.Code, reference[1])
		assert.Contains(t, file.Header().Get("Cache-Control"), "immutable", reference[1])
		_, extension, _ := strings.Cut(reference[1], ".")
		types[extension] = file.Header().Get("Content-Type")
	}
	assert.Equal(t, map[string]string{
		"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml",
	}, types)
}

func TestNothingIsInlineOrFromElsewhere(t *testing.T) {
	t.Parallel()
	text := ask(http.MethodGet, "/").Body.String()
	assert.NotRegexp(t, `<style|style=|<script[^>]*>[^<]|\son\w+=|//`, text)
}

func TestFilesComeCompressedAndOnlyOnce(t *testing.T) {
	t.Parallel()
	size := 0
	for name, file := range load() {
		path := "/" + name
		plain := ask(http.MethodGet, path)
		assert.Equal(t, string(file.content), plain.Body.String())
		assert.Empty(t, plain.Header().Get("Content-Encoding"))

		compressed := ask(http.MethodGet, path, "Accept-Encoding: br, gzip")
		assert.Equal(t, "gzip", compressed.Header().Get("Content-Encoding"))
		assert.Equal(t, "Accept-Encoding", compressed.Header().Get("Vary"))
		text := compressed.Body.String()
		size += len(text)
		reader, err := gzip.NewReader(strings.NewReader(text))
		require.NoError(t, err)
		unpacked, err := io.ReadAll(reader)
		require.NoError(t, err)
		assert.Equal(t, string(file.content), string(unpacked))

		assert.NotEqual(t, plain.Header().Get("Etag"), compressed.Header().Get("Etag"), "they are different bytes")
		again := ask(http.MethodGet, path, "Accept-Encoding: gzip", "If-None-Match: "+compressed.Header().Get("Etag"))
		assert.Equal(t, http.StatusNotModified, again.Code)
		assert.Empty(t, again.Body.String())
		head := ask(http.MethodHead, path)
		assert.Equal(t, http.StatusOK, head.Code)
		assert.Empty(t, head.Body.String())
	}
	assert.LessOrEqual(t, size, 300<<10, "the size of the page, compressed")
}

func TestWhatIsNotThereAndWhatCannotBeDone(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/other", "/static/", "/static", "/../page.go", "/assets/index.html", "/index.html/"} {
		want := http.StatusNotFound
		if path == "/index.html/" {
			want = http.StatusOK // a path is cleaned
		}
		assert.Equal(t, want, ask(http.MethodGet, path).Code, path)
	}
	refused := ask(http.MethodPost, "/")
	assert.Equal(t, http.StatusMethodNotAllowed, refused.Code)
	assert.Equal(t, "GET, HEAD", refused.Header().Get("Allow"))
}

func TestAcceptsGzip(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		"": false, "gzip": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "gzip; q=0.000": false, "gzip;q=1": true,
		"gzip; q=0.001": true, "deflate": false, "x-gzip": false, "identity, *;q=0": false,
	} {
		assert.Equal(t, want, AcceptsGzip(header), header)
	}
}
