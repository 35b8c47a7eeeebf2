// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"compress/gzip"
	"io"
	"io/fs"
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
	files := []string{"/"}
	require.NoError(t, fs.WalkDir(embedded, "assets", func(name string, entry fs.DirEntry, err error) error {
		if path := strings.TrimPrefix(name, "assets"); !entry.IsDir() && path != "/index.html" {
			files = append(files, path)
		}
		return err
	}))
	require.Greater(t, len(files), 3)
	size := 0
	for _, path := range files {
		plain := ask(http.MethodGet, path)
		name := path
		if path == "/" {
			name = "/index.html"
		}
		content, err := embedded.ReadFile("assets" + name)
		require.NoError(t, err)
		assert.Equal(t, string(content), plain.Body.String())
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
		assert.Equal(t, string(content), string(unpacked))

		assert.Regexp(t, `^W/"[0-9a-f]{16}"$`, compressed.Header().Get("Etag"), "the bytes differ, so it is weak")
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
	for _, path := range []string{"/other", "/static/", "/static", "/../page.go", "/assets/index.html"} {
		assert.Equal(t, http.StatusNotFound, ask(http.MethodGet, path).Code, path)
	}
	assert.Equal(t, "./", ask(http.MethodGet, "/index.html").Header().Get("Location"))
	refused := ask(http.MethodPost, "/")
	assert.Equal(t, http.StatusMethodNotAllowed, refused.Code)
	assert.Equal(t, "GET, HEAD", refused.Header().Get("Allow"))
}
