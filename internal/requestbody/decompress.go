// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package requestbody

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

// Algorithms are the known encodings, with the names that the Collector's servers use.
var Algorithms = []string{"", "gzip", "zstd", "zlib", "snappy", "deflate", "lz4", "x-snappy-framed"}

// ErrEncoding is the error of a Content-Encoding that is not known, or not allowed.
var ErrEncoding = errors.New("unsupported Content-Encoding")

// decompress returns a reader of the decompressed body. Reading more than limit bytes from it is an
// *http.MaxBytesError.
func decompress(encoding string, allowed []string, body []byte, limit int64) (io.Reader, error) {
	if !slices.Contains(allowed, encoding) {
		return nil, fmt.Errorf("%w: %q: use one of %s", ErrEncoding, encoding, strings.Join(allowed, " "))
	}
	plain, err := newDecoder(encoding, body, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", encoding, err)
	}
	return http.MaxBytesReader(nil, io.NopCloser(plain), limit), nil
}

// maxWindow is the largest that encoders of zstd use at any level but --ultra.
const maxWindow = 32 << 20

// framed is the start of a stream in snappy's framing format, which some clients send as "snappy".
var framed = []byte("\xff\x06\x00\x00sNaPpY")

func newDecoder(encoding string, body []byte, limit int64) (io.Reader, error) {
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
