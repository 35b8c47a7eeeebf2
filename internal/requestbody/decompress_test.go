// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package requestbody

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func compressed(t testing.TB, encoding, text string) []byte {
	t.Helper()
	var to bytes.Buffer
	var writer io.WriteCloser
	switch encoding {
	case "":
		return []byte(text)
	case "snappy":
		return snappy.Encode(nil, []byte(text))
	case "gzip":
		writer = gzip.NewWriter(&to)
	case "zlib", "deflate":
		writer = zlib.NewWriter(&to)
	case "zstd":
		encoder, err := zstd.NewWriter(&to, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
		require.NoError(t, err)
		writer = encoder
	case "lz4":
		writer = lz4.NewWriter(&to)
	case "x-snappy-framed":
		writer = snappy.NewBufferedWriter(&to)
	}
	_, err := writer.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	return to.Bytes()
}

func TestDecompress(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("what is sent ", 1000)
	for _, encoding := range Algorithms {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			body := compressed(t, encoding, text)
			plain, err := decompress(encoding, Algorithms, body, int64(len(text)))
			require.NoError(t, err)
			read, err := io.ReadAll(plain)
			require.NoError(t, err)
			assert.Equal(t, text, string(read))

			plain, err = decompress(encoding, Algorithms, body, int64(len(text)-1))
			if err == nil {
				_, err = io.ReadAll(plain)
			}
			var tooLarge *http.MaxBytesError
			require.ErrorAs(t, err, &tooLarge)

			if encoding == "" {
				return
			}
			plain, err = decompress(encoding, Algorithms, []byte("nonsense"), 1000)
			if err == nil {
				_, err = io.ReadAll(plain)
			}
			require.Error(t, err)
			_, err = decompress(encoding, []string{""}, body, 1000)
			require.ErrorIs(t, err, ErrEncoding)
		})
	}
	plain, err := decompress("snappy", Algorithms, compressed(t, "x-snappy-framed", text), int64(len(text)))
	require.NoError(t, err)
	read, err := io.ReadAll(plain)
	require.NoError(t, err)
	assert.Equal(t, text, string(read), "framed, and called snappy")
	_, err = decompress("br", Algorithms, nil, 1000)
	assert.ErrorContains(t, err, `unsupported Content-Encoding: "br"`)
}
