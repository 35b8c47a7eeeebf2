// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package decompress decompresses the bodies of requests. The Collector's servers do it while
// a body comes in, with windows of many MiB for each connection, however slow. Here the
// compressed body is complete, and the caller says how many are decompressed at a time.
package decompress

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Algorithms are the encodings that are known, as servers of the Collector name them.
var Algorithms = []string{"", "gzip", "zstd", "zlib", "snappy", "deflate", "lz4", "x-snappy-framed"}

// ErrEncoding is of a Content-Encoding that is not known, or not allowed.
var ErrEncoding = errors.New("this Content-Encoding is not taken")

// Reader gives a body decompressed. Reading more than limit bytes from it is an
// *http.MaxBytesError.
func Reader(encoding string, allowed []string, body []byte, limit int64) (io.Reader, error) {
	if !slices.Contains(allowed, encoding) {
		return nil, fmt.Errorf("%w: %q: use one of %s", ErrEncoding, encoding, strings.Join(allowed, " "))
	}
	plain, err := reader(encoding, body, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", encoding, err)
	}
	return http.MaxBytesReader(nil, io.NopCloser(plain), limit), nil
}

// maxWindow is the largest that encoders of zstd use at any level but --ultra.
const maxWindow = 32 << 20

// framed begins a stream of snappy's framing format, which some send as "snappy".
var framed = []byte("\xff\x06\x00\x00sNaPpY")

func reader(encoding string, body []byte, limit int64) (io.Reader, error) {
	from := bytes.NewReader(body)
	switch encoding {
	case "gzip":
		return gzip.NewReader(from)
	case "zlib", "deflate":
		return zlib.NewReader(from)
	case "zstd":
		return zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	case "lz4":
		return lz4.NewReader(from), nil
	case "x-snappy-framed":
		return snappy.NewReader(from), nil
	case "snappy":
		if bytes.HasPrefix(body, framed) {
			return snappy.NewReader(from), nil
		}
		return unsnappy(body, limit)
	}
	return from, nil
}

func unsnappy(body []byte, limit int64) (io.Reader, error) {
	size, err := snappy.DecodedLen(body)
	if err != nil {
		return nil, err
	}
	if int64(size) > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	plain, err := snappy.Decode(nil, body)
	return bytes.NewReader(plain), err
}
