// The only importer of the view library: views and components take these names from here, so that
// replacing the library is a change of this file.
export {
  html, render, h, Component, createContext, useState, useReducer, useEffect, useLayoutEffect,
  useRef, useMemo, useCallback, useContext, useErrorBoundary,
} from "../vendor/htm-preact.js";
