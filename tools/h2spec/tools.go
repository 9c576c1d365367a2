//go:build tools

// Package h2spec pins the version of the conformance test suite and of what it is built from.
package h2spec

import _ "github.com/summerwind/h2spec/cmd/h2spec"
