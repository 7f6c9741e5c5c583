/* AFL in %%scidb cells, coloured: an extension of JupyterLab 4 and Notebook 7.
 *
 * It is loaded as it stands here. JupyterLab wants a container of webpack's module federation, which is
 * an object with `init`, that is given the modules that all extensions share, and `get`, that answers
 * ours. Both are at the end; no bundler and no Node.js has a part in it.
 */
(() => {
  'use strict';

  const MIME = 'text/x-scidb-afl';
  const CELL = /^\s*%%scidb(?!\w)/;

  // Tags of Lezer's highlighter, in the colours that JupyterLab's themes have for them.
  const RULES = [
    [/(--|\/\/).*/, 'comment'],
    [/'(?:\\.|[^'\\])*'?/, 'string'],
    [/"[^"]*"?/, 'labelName'],
    [/(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/, 'number'],
    [/(?:null|true|false|nan|inf)(?![\w$])/i, 'atom'],
    [/create\s+(?:temp\s+)?array(?![\w$])/i, 'keyword'],
    [/(?:and|or|not|as|is|asc|desc|case|when|then|else|end|default|compression)(?![\w$])/i, 'keyword'],
    [/[A-Za-z_$][\w$]*(?=\s*\()/, 'variableName.standard'],
    [/[A-Za-z_$][\w$]*/, 'variableName'],
    [/<=|>=|<>|!=|[-+*/%=<>?@]/, 'operator']
  ];
  const TYPE = /(?:bool|char|string|binary|double|float|datetimetz|datetime|u?int(?:8|16|32|64))(?![\w$])/i;

  const afl = {
    name: 'AFL',

    // `depth`: of nested comments; `typed`: whether a type comes next; `python`: inside of {{ }}.
    startState: () => ({ first: true, depth: 0, typed: false, python: false }),
    copyState: state => ({ ...state }),

    token(stream, state) {
      if (state.first && stream.sol() && stream.match(CELL)) {
        stream.skipToEnd();
        state.first = false;
        return 'meta';
      }
      if (stream.eatSpace()) {
        return null;
      }
      state.first = false;
      if (state.depth || stream.match('/*', false)) {
        return comment(stream, state);
      }
      if (state.python || stream.match('{{', false)) {
        state.python = !stream.match(/.*?\}\}/);
        if (state.python) {
          stream.skipToEnd();
        }
        return 'meta';
      }
      const typed = state.typed;
      state.typed = stream.match(':');
      if (state.typed) {
        return 'operator';
      }
      if (typed && stream.match(TYPE)) {
        return 'keyword';
      }
      for (const [form, tag] of RULES) {
        if (stream.match(form)) {
          return tag;
        }
      }
      stream.next();
      return null;
    },

    languageData: { commentTokens: { line: '--', block: { open: '/*', close: '*/' } } }
  };

  function comment(stream, state) {
    while (!stream.eol()) {
      if (stream.match('/*')) {
        state.depth += 1;
      } else if (stream.match('*/')) {
        state.depth -= 1;
        if (!state.depth) {
          break;
        }
      } else {
        stream.next();
      }
    }
    return 'comment';
  }

  /* Keep the cells of a notebook in the language that their first line names. The notebook itself sets
   * that of its kernel, for all, when the kernel has told it. */
  function watch(notebook) {
    const known = new WeakSet();

    function choose(model) {
      const wanted = CELL.test(model.sharedModel.getSource()) ? MIME : notebook.codeMimetype;
      if (model.mimeType !== wanted && (wanted === MIME || model.mimeType === MIME)) {
        model.mimeType = wanted;
      }
    }

    function look() {
      for (const { model } of notebook.widgets) {
        if (model.type === 'code') {
          if (!known.has(model)) {
            known.add(model);
            model.contentChanged.connect(choose);
            model.mimeTypeChanged.connect(choose);
          }
          choose(model);
        }
      }
    }

    notebook.modelContentChanged.connect(look);
    look();
  }

  async function extension(shared) {
    const { LanguageSupport, StreamLanguage } = await shared('@codemirror/language');
    const { IEditorLanguageRegistry } = await shared('@jupyterlab/codemirror');
    const { INotebookTracker } = await shared('@jupyterlab/notebook');
    return {
      id: 'scidb-magic:afl',
      description: 'Colours AFL in %%scidb cells.',
      autoStart: true,
      requires: [IEditorLanguageRegistry, INotebookTracker],
      activate: (_, languages, notebooks) => {
        const support = new LanguageSupport(StreamLanguage.define(afl));
        languages.addLanguage({ name: afl.name, displayName: 'AFL (SciDB)', mime: MIME, support });
        notebooks.forEach(panel => watch(panel.content));
        notebooks.widgetAdded.connect((_, panel) => watch(panel.content));
      }
    };
  }

  let scope = {};

  /* A module that JupyterLab shares; it has each in one version. */
  async function shared(name) {
    const [version] = Object.values(scope[name]);
    return (await version.get())();
  }

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB['scidb-magic'] = {
    init: given => {
      scope = given;
    },
    get: async () => {
      const plugin = await extension(shared);
      return () => ({ __esModule: true, default: plugin });
    }
  };
})();
